package arango

import (
	"context"

	"github.com/arangodb/go-driver/v2/arangodb"

	"github.com/vivarium-env/vivarium/pkg/store"
)

// saveStates writes and removes what executors have to know the next time, in the order of the batch.
func (b *batch) saveStates(ctx context.Context, t arangodb.Transaction) error {
	for _, s := range b.states {
		if err := saveState(ctx, t, s); err != nil {
			return err
		}
	}
	return nil
}

func saveState(ctx context.Context, t arangodb.Transaction, s store.StepState) error {
	key := keyOf(s.Environment, s.Step)
	switch {
	case s.Step == "":
		return run(ctx, t, "clear_states", binds{"home": keyOf(s.Environment)})
	case len(s.Data) == 0:
		return run(ctx, t, "remove", binds{"@collection": "states", "keys": []string{key}})
	default:
		return put(ctx, t, "put", "states", []document{{"_key": key, "home": keyOf(s.Environment), "environment": s.Environment,
			"step": s.Step, "hash": s.Hash, "data": s.Data}})
	}
}

// takeOut removes resources that are no more, with their edges and states.
func (b *batch) takeOut(ctx context.Context, t arangodb.Transaction) error {
	if len(b.removed) == 0 && len(b.forgotten) == 0 {
		return nil
	}
	ids := make([]string, len(b.removed))
	for i, key := range b.removed {
		ids[i] = "resources/" + key
	}
	for _, of := range []struct {
		collection string
		keys       []string
	}{{"resources", b.removed}, {"states", b.forgotten}} {
		if len(of.keys) == 0 {
			continue
		}
		if err := run(ctx, t, "remove", binds{"@collection": of.collection, "keys": of.keys}); err != nil {
			return err
		}
	}
	return relink(ctx, t, nil, ids, nil)
}

// State of a step.
func (s *Store) State(ctx context.Context, environment, step string) (store.StepState, error) {
	return s.stateIn(ctx, "states", keyOf(environment, step), environment, step)
}

// stateIn reads one of the collections of states.
func (s *Store) stateIn(ctx context.Context, collection, key, environment, step string) (store.StepState, error) {
	row, found, err := askOne[struct {
		Hash string `json:"hash"`
		Data []byte `json:"data"`
	}](ctx, s, "state", binds{"@collection": collection, "key": key})
	if err == nil && !found {
		err = store.ErrNotFound
	}
	return store.StepState{Environment: environment, Step: step, Hash: row.Hash, Data: row.Data}, err
}
