package history

import (
	"encoding/json"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// Templates are the hashes of the templates that an entry names; facts about an environment do.
func Templates(e store.Entry) (hashes []string) {
	if !strings.HasPrefix(e.Type, "environment.") {
		return nil
	}
	var b struct {
		Templates []environment.Template `json:"templates"`
	}
	if json.Unmarshal(e.Data, &b) != nil {
		return nil // whoever folds it says so
	}
	for _, t := range b.Templates {
		if t.Hash != "" {
			hashes = append(hashes, t.Hash)
		}
	}
	return hashes
}

// Kept is what an entry says of the states of steps, as a batch has it: the hash of one that was saved, and no data; nil
// where it says nothing of them. Without a Step, all of the environment's end but those that its state goes on naming.
func Kept(e store.Entry) *store.StepState {
	switch e.Type {
	case (environment.StatusDestroyed{}).Type(), (environment.Created{}).Type():
		return &store.StepState{Environment: e.Environment}
	case (environment.StateSaved{}).Type():
		var b environment.StateSaved
		if json.Unmarshal(e.Data, &b) == nil {
			return &store.StepState{Environment: e.Environment, Step: b.Kept(), Hash: b.Hash}
		}
	case (environment.StepPlanned{}).Type():
		var b environment.StepPlanned
		if json.Unmarshal(e.Data, &b) == nil && b.Saved != nil {
			return &store.StepState{Environment: e.Environment, Step: environment.SavedPlan{Operation: b.Operation}.Place(b.Step), Hash: b.Saved.Hash}
		}
	}
	return nil
}
