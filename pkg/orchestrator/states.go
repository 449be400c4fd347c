package orchestrator

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// states are what executors have to know the next time, as far as a turn has to do with them.
type states struct {
	// saved is what the turn writes, in this order.
	saved []store.StepState
	// read is what was needed of the store.
	read map[place]store.StepState
	// coming is the data of the message that is decided on, refused whether the decider did not take it.
	coming  string
	refused bool
	// err is why the store could not be asked: the turn does not count, and is tried again.
	err error
}

type place struct{ environment, step string }

// save decides on a state.
func (t *turn) save(m event.State) error {
	in := environment.StateInput{TaskRef: m.TaskRef, Runner: m.Runner, Number: m.Number}
	if m.Data != "" {
		sum := sha256.Sum256([]byte(m.Data))
		in.StateRef = environment.StateRef{Hash: hex.EncodeToString(sum[:]), Size: len(m.Data)}
	}
	t.states.coming = m.Data
	return t.decide(m.Environment, in)
}

// followStates takes what facts say about states, in their order.
func (t *turn) followStates(s *environment.State, b environment.Body) {
	name, st := s.Name, &t.states
	switch b := b.(type) {
	case environment.StepPlanned:
		if b.Saved != nil {
			at := environment.SavedPlan{Operation: b.Operation}.Place(b.Step)
			st.saved = append(st.saved, store.StepState{Environment: name, Step: at, Hash: b.Saved.Hash, Data: []byte(st.coming)})
		}
	case environment.StateSaved:
		st.saved = append(st.saved, store.StepState{Environment: name, Step: b.Kept(), Hash: b.Hash, Data: []byte(st.coming)})
	case environment.TaskRefused:
		st.refused = b.State != nil
	case environment.StatusDestroyed:
		retained := t.retained(s)
		st.saved = append(append(st.saved, store.StepState{Environment: name}), retained...)
	case environment.Created:
		// What an earlier life of the name has saved goes with it, before anything of this turn is written.
		retained := append(t.retained(s), t.savedPlans(s)...)
		st.saved = slices.DeleteFunc(st.saved, func(s store.StepState) bool { return s.Environment == name })
		st.saved = append(st.saved, retained...)
	}
}

// retained are the states that outlive an environment, since what they tell of was left where it is.
func (t *turn) retained(s *environment.State) (kept []store.StepState) {
	s.KeptStates(func(step, hash string) { kept = t.keepAgain(kept, place{s.Name, step}, hash) })
	return kept
}

// savedPlans are those of the plan by which an environment is made.
func (t *turn) savedPlans(s *environment.State) (kept []store.StepState) {
	for at, hash := range s.SavedPlans() {
		kept = t.keepAgain(kept, place{s.Name, at}, hash)
	}
	return kept
}

func (t *turn) keepAgain(kept []store.StepState, at place, hash string) []store.StepState {
	found, err := t.state(at)
	switch {
	case err == nil && found.Hash == hash:
		kept = append(kept, found)
	case err != nil && !errors.Is(err, store.ErrNotFound):
		t.states.err = err
	}
	return kept
}

// stateReader is what the decider asks before it offers a step of the environment.
func (t *turn) stateReader(name string) func(identity, hash string) error {
	return func(identity, hash string) error {
		found, err := t.state(place{name, identity})
		switch {
		case err != nil && !errors.Is(err, store.ErrNotFound):
			t.states.err = err
			return err
		case err != nil || found.Hash != hash:
			return fault.Wrap(err, fault.GiveUp, fault.NotFound,
				"the state of %s (SHA-256 %s) is not in the store, and without it what is there already would be made again: restore the store from a backup", identity, hash)
		}
		return nil
	}
}

// state is what a step's executor saved last: in this turn, or before it.
func (t *turn) state(at place) (store.StepState, error) {
	for _, s := range slices.Backward(t.states.saved) {
		if s.Environment == at.environment && (s.Step == at.step || s.Step == "") {
			if len(s.Data) == 0 {
				return s, store.ErrNotFound
			}
			return s, nil
		}
	}
	if s, known := t.states.read[at]; known {
		return s, nil
	}
	s, err := t.p.Store.State(t.ctx, at.environment, at.step)
	if err == nil {
		if t.states.read == nil {
			t.states.read = map[place]store.StepState{}
		}
		t.states.read[at] = s
	}
	return s, err
}
