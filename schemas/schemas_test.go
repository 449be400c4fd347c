package schemas_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/schemas"
	"github.com/vivarium-env/vivarium/schemas/internal/build"
)

func TestFilesAreWhatTheCodeSays(t *testing.T) {
	different, err := build.Differences("..")
	require.NoError(t, err)
	require.Empty(t, different, "run go generate ./schemas")
}

func TestEveryTypeHasASchemaAndAnExample(t *testing.T) {
	var want []string
	for _, m := range build.Messages() {
		want = append(want, event.TypeOf(m.Name))
		require.NoError(t, schemas.Validate(event.TypeOf(m.Name), build.Example(m).Encode()), m.Name)
		require.NoError(t, schemas.Validate(m.Name, build.Example(m).Encode()), m.Name)
	}
	types, err := schemas.Types()
	require.NoError(t, err)
	require.ElementsMatch(t, want, types)
	require.True(t, fault.Is(schemas.Validate("environment.nope", []byte("{}")), fault.NotFound))
	require.True(t, fault.Is(schemas.Validate(event.EnvironmentCreate, []byte("{")), fault.Unreadable))
}

// TestEventsOfZeroValues sends events whose optional fields are all left out, as they are when a fact has nothing to say.
func TestEventsOfZeroValues(t *testing.T) {
	failure := fault.New(fault.GiveUp, fault.Internal, "x")
	small := []environment.Body{
		environment.CommandRejected{Error: failure},
		environment.Created{Templates: []environment.Template{}},
		environment.StatusDeploying{}, environment.StatusValidating{}, environment.StatusDeployed{},
		environment.StatusFailed{Error: failure}, environment.StatusDestroying{}, environment.StatusDestroyed{},
		environment.StatusDestroyFailed{Error: failure}, environment.Cancelling{},
		environment.Finished{Kind: environment.CreateOperation, Status: environment.OperationFailed, Steps: map[environment.StepState]int{}},
		environment.StepWaiting{Verb: event.Apply}, environment.StepRunning{}, environment.StepComplete{},
		environment.StepQueued{Cause: environment.CauseLost}, environment.StepError{Error: failure}, environment.StepSkipped{},
		environment.StatusRetrying{}, environment.StatusRunning{}, environment.Paused{}, environment.Resumed{}, environment.Held{}, environment.StepProgress{},
		environment.TaskRefused{}, environment.StateSaved{}, environment.Updated{Templates: []environment.Template{}}, environment.StepUnchanged{},
		environment.Scheduled{}, environment.DestructionAhead{}, environment.StatusChecking{}, environment.StatusPlanning{},
		environment.StepPlanned{Plan: event.Plan{Change: event.ChangeNone}}, environment.StatusPlanned{Counts: map[event.Change]int{}},
		environment.ResourceObserved{Presence: event.Absent}, environment.ResourceHealth{Status: event.Healthy},
		environment.Locked{}, environment.Unlocked{}, environment.StepRetained{}, environment.Promoted{}, environment.TakenOver{}, environment.StepDoubted{Verb: event.Apply},
		environment.StepUncertain{}, environment.StepSettled{Verdict: event.Again}, environment.DestructionHeld{Error: failure}, environment.Appointed{}, environment.Healing{Steps: []string{}}, environment.HealGaveUp{}, environment.Redeploying{Groups: []string{}}, environment.GroupPaused{Groups: []string{}}, environment.GroupResumed{Groups: []string{}},
		environment.PlansLapsed{Plans: []string{}}, environment.AwaitingApproval{Kind: environment.ForUpdate, Counts: map[event.Change]int{}, Needs: []environment.Need{}},
		environment.StepHeld{Needs: []environment.Need{}}, environment.Approved{}, environment.Refused{}, environment.ApprovalExpired{},
		environment.CommandQueued{}, environment.QueueDropped{},
	}
	require.Len(t, small, len(environment.Bodies()))
	for _, body := range small {
		data, err := json.Marshal(environment.Public(body))
		require.NoError(t, err)
		e := event.Envelope{SpecVersion: event.SpecVersion, ID: "1", Source: "s", Type: event.TypeOf(body.Type()), Data: data}
		require.NoError(t, schemas.Validate(e.Type, e.Encode()), body.Type())
	}
}

func TestWhatDoesNotFit(t *testing.T) {
	command := func(typ, data string) string {
		return `{"specversion":"1.0","id":"1","source":"s","subject":"notes","type":"vivarium.` + typ + `.v1","data":` + data + `}`
	}
	good := []string{
		command(event.EnvironmentCreate, `{"templates":["notes"]}`),
		command(event.EnvironmentCreate, `{"templates":["notes"],"parameters":{"a":[1,null]},"destroy_at":"2027-01-31T18:00:00Z"}`),
		command(event.EnvironmentDestroy, `{}`),
		strings.Replace(command(event.EnvironmentDestroy, `{}`), `,"data":{}`, "", 1),
		strings.Replace(command(event.EnvironmentCancel, `{}`), `"id"`, `"myextension":"x","id"`, 1),
		command(event.EnvironmentRetry, `{"fail_fast":true}`), command(event.EnvironmentPause, `{"reason":"x"}`), command(event.EnvironmentResume, `{}`),
		command(event.EnvironmentRun, `{"action":"notes.action.backup"}`),
		command(event.EnvironmentCheck, `{}`), command(event.EnvironmentPlan, `{}`), command(event.EnvironmentPlan, `{"destroy":true}`), command(event.EnvironmentApply, `{"plan":"op-7"}`), command(event.OperationApprove, `{}`), command(event.OperationReject, `{"comment":"x"}`), command(event.EnvironmentCheck, `{"resources":["notes.noop.a"]}`),
	}
	bad := []string{
		command(event.EnvironmentCreate, `{"templates":["notes"],"paramters":{}}`),
		command(event.EnvironmentCreate, `{"templates":[]}`),
		command(event.EnvironmentCreate, `{"templates":"notes"}`),
		command(event.EnvironmentCreate, `{"templates":["notes"],"destroy_at":"tomorrow"}`),
		command(event.EnvironmentCreate, `{"templates":["notes"],"parallelism":-1}`),
		command(event.EnvironmentCreate, `{}`),
		command(event.EnvironmentCreate, `[]`),
		command(event.EnvironmentDestroy, `{"forced":true}`),
		command(event.EnvironmentCancel, `{"reason":1}`),
		command(event.EnvironmentRetry, `{"force":true}`), command(event.EnvironmentPause, `{"until":1}`), command(event.EnvironmentResume, `{"reason":"x"}`),
		command(event.EnvironmentRun, `{}`), command(event.EnvironmentRun, `{"action":""}`),
		command(event.EnvironmentCheck, `{"resources":[]}`), command(event.EnvironmentPlan, `{"templates":[]}`),
		command(event.EnvironmentApply, `{}`), command(event.EnvironmentApply, `{"plan":""}`), command(event.EnvironmentApply, `{"plan":"op-7","templates":["notes"]}`),
		strings.Replace(command(event.EnvironmentDestroy, `{}`), `"subject":"notes",`, "", 1),
		strings.Replace(command(event.EnvironmentDestroy, `{}`), `"1.0"`, `"0.3"`, 1),
		strings.Replace(command(event.EnvironmentDestroy, `{}`), `"id":"1"`, `"id":""`, 1),
		`{"specversion":"1.0","id":"1","source":"s","type":"vivarium.step.error.v1"}`,
		`{"specversion":"1.0","id":"1","source":"s","type":"vivarium.step.queued.v1","data":{"operation":"o","step":"s","attempt":1,"cause":"bored"}}`,
	}
	typeOf := func(document string) string {
		_, rest, _ := strings.Cut(document, `"type":"`)
		typ, _, _ := strings.Cut(rest, `"`)
		return typ
	}
	for _, document := range good {
		require.NoError(t, schemas.Validate(typeOf(document), []byte(document)), document)
	}
	for _, document := range bad {
		require.True(t, fault.Is(schemas.Validate(typeOf(document), []byte(document)), fault.Invalid), document)
	}
	require.Error(t, schemas.Validate(event.EnvironmentCancel, []byte(good[2])), "the type of another command")
}

// TestCommandsThatTheServerRefuses holds the schemas of commands against what the server's own decoder says.
func TestCommandsThatTheServerRefuses(t *testing.T) {
	for _, data := range []string{`{"templates":["a"],"x":1}`, `{"templates":1}`, `[]`, `{"templates":["a"]}`, `{"templates":["a"],"tags":["x"]}`} {
		refused := event.DecodeData(json.RawMessage(data), &event.Create{})
		e := event.Envelope{SpecVersion: "1.0", ID: "1", Source: "s", Subject: "n", Type: event.TypeOf(event.EnvironmentCreate), Data: json.RawMessage(data)}
		require.Equal(t, refused == nil, schemas.Validate(e.Type, e.Encode()) == nil, data)
	}
}
