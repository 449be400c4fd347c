package environment

import (
	"encoding/json"
	"fmt"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Bodies is one empty value of every fact type: for decoding, for schemas and for documentation.
func Bodies() []Body {
	return []Body{
		CommandRejected{}, Created{}, StatusDeploying{}, StatusValidating{}, StatusDeployed{}, StatusFailed{},
		StatusDestroying{}, StatusDestroyed{}, StatusDestroyFailed{}, Cancelling{}, Finished{},
		StepWaiting{}, StepRunning{}, StepComplete{}, StepQueued{}, StepError{}, StepSkipped{},
		StatusRetrying{}, StatusRunning{}, Paused{}, Resumed{}, Held{}, StepProgress{}, TaskRefused{}, StateSaved{},
		Updated{}, StepUnchanged{}, Scheduled{}, DestructionAhead{}, StatusChecking{}, ResourceObserved{}, ResourceHealth{},
		Promoted{}, TakenOver{}, StepDoubted{}, StepUncertain{}, StepSettled{},
		StatusPlanning{}, StepPlanned{}, StatusPlanned{}, PlansLapsed{},
		Locked{}, Unlocked{}, StepRetained{}, DestructionHeld{}, Appointed{}, Healing{}, HealGaveUp{},
		AwaitingApproval{}, StepHeld{}, Approved{}, Refused{}, ApprovalExpired{},
		CommandQueued{}, QueueDropped{},
		Redeploying{}, GroupPaused{}, GroupResumed{},
	}
}

// DecodeBody reads the data of a journal entry of the given type.
func DecodeBody(typ string, data json.RawMessage) (Body, error) {
	decode, ok := decoders[typ]
	if !ok {
		return nil, fault.New(fault.GiveUp, fault.Invalid, "the journal has a fact of type %q, which this version does not know", typ)
	}
	body, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("fact of type %s: %w", typ, err)
	}
	return body, nil
}

var decoders = map[string]func(json.RawMessage) (Body, error){
	CommandRejected{}.Type():     decode[CommandRejected],
	Created{}.Type():             decode[Created],
	StatusDeploying{}.Type():     decode[StatusDeploying],
	StatusValidating{}.Type():    decode[StatusValidating],
	StatusDeployed{}.Type():      decode[StatusDeployed],
	StatusFailed{}.Type():        decode[StatusFailed],
	StatusDestroying{}.Type():    decode[StatusDestroying],
	StatusDestroyed{}.Type():     decode[StatusDestroyed],
	StatusDestroyFailed{}.Type(): decode[StatusDestroyFailed],
	Cancelling{}.Type():          decode[Cancelling],
	Finished{}.Type():            decode[Finished],
	StepWaiting{}.Type():         decode[StepWaiting],
	StepRunning{}.Type():         decode[StepRunning],
	StepComplete{}.Type():        decode[StepComplete],
	StepQueued{}.Type():          decode[StepQueued],
	StepError{}.Type():           decode[StepError],
	StepSkipped{}.Type():         decode[StepSkipped],
	StatusRetrying{}.Type():      decode[StatusRetrying],
	StatusRunning{}.Type():       decode[StatusRunning],
	Paused{}.Type():              decode[Paused],
	Resumed{}.Type():             decode[Resumed],
	Held{}.Type():                decode[Held],
	StepProgress{}.Type():        decode[StepProgress],
	TaskRefused{}.Type():         decode[TaskRefused],
	StateSaved{}.Type():          decode[StateSaved],
	Updated{}.Type():             decode[Updated],
	StepUnchanged{}.Type():       decode[StepUnchanged],
	Scheduled{}.Type():           decode[Scheduled],
	DestructionAhead{}.Type():    decode[DestructionAhead],
	ResourceHealth{}.Type():      decode[ResourceHealth],
	StatusChecking{}.Type():      decode[StatusChecking],
	StatusPlanning{}.Type():      decode[StatusPlanning],
	StepPlanned{}.Type():         decode[StepPlanned],
	StatusPlanned{}.Type():       decode[StatusPlanned],
	ResourceObserved{}.Type():    decode[ResourceObserved],
	Promoted{}.Type():            decode[Promoted],
	TakenOver{}.Type():           decode[TakenOver],
	StepDoubted{}.Type():         decode[StepDoubted],
	StepUncertain{}.Type():       decode[StepUncertain],
	StepSettled{}.Type():         decode[StepSettled],
	Locked{}.Type():              decode[Locked],
	Unlocked{}.Type():            decode[Unlocked],
	StepRetained{}.Type():        decode[StepRetained],
	DestructionHeld{}.Type():     decode[DestructionHeld],
	PlansLapsed{}.Type():         decode[PlansLapsed],
	Appointed{}.Type():           decode[Appointed],
	Healing{}.Type():             decode[Healing],
	HealGaveUp{}.Type():          decode[HealGaveUp],
	AwaitingApproval{}.Type():    decode[AwaitingApproval],
	StepHeld{}.Type():            decode[StepHeld],
	Approved{}.Type():            decode[Approved],
	Refused{}.Type():             decode[Refused],
	ApprovalExpired{}.Type():     decode[ApprovalExpired],
	CommandQueued{}.Type():       decode[CommandQueued],
	QueueDropped{}.Type():        decode[QueueDropped],
	Redeploying{}.Type():         decode[Redeploying],
	GroupPaused{}.Type():         decode[GroupPaused],
	GroupResumed{}.Type():        decode[GroupResumed],
}

func decode[B Body](data json.RawMessage) (Body, error) {
	var b B
	err := json.Unmarshal(data, &b)
	return b, err
}
