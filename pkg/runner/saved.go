package runner

import (
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// planPlace is where a saved plan belongs, for the seal.
func planPlace(ref event.TaskRef) []string { return []string{"plan", ref.Environment, ref.Step} }

// sealPlan packs what an executor has saved of a plan. What is too large is left out, and its size told.
func sealPlan(box *secret.Box, ref event.TaskRef, data []byte) (text string, unkept int) {
	switch {
	case len(data) == 0:
		return "", 0
	case len(data) > plainState:
		return "", len(data)
	}
	if text = box.SealFor(zipped(data), planPlace(ref)...); len(text) > event.MaxState {
		return "", len(text)
	}
	return text, 0
}

func openPlan(box *secret.Box, ref event.TaskRef, text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	packed, err := box.OpenFor(text, planPlace(ref)...)
	var data []byte
	if err == nil {
		data, err = unzipped(packed)
	}
	if err != nil || len(data) > plainState {
		return nil, fault.Wrap(err, fault.GiveUp, fault.SecretUnavailable,
			"the plan of %s can't be opened: it was altered, or sealed with another cluster's key or for another step; plan again", ref.Step)
	}
	return data, nil
}
