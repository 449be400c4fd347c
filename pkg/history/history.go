package history

import (
	"context"
	"fmt"
	"time"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// page is how many entries are read at once.
const page = 1000

// Entries is the part of a store that history is read from.
type Entries interface {
	Entries(ctx context.Context, s store.Selection) ([]store.Entry, error)
}

// Moment is a place in an environment's journal: the last entry of at most this sequence, and of at most this time. The
// zero value of a field does not bound; the zero Moment is now.
type Moment struct {
	Seq  uint64
	Time time.Time
}

// holds tells whether an entry had been written by then.
func (m Moment) holds(e store.Entry) bool {
	return (m.Seq == 0 || e.Seq <= m.Seq) && (m.Time.IsZero() || !e.Time.After(m.Time))
}

// View is an environment as it was.
type View struct {
	// Seq and Time are those of the last entry that is taken in.
	Seq         uint64                       `json:"seq"`
	Time        time.Time                    `json:"time"`
	Environment environment.Record           `json:"environment"`
	Operation   *environment.OperationRecord `json:"operation,omitempty"` // the one under way then, or the last before
	Resources   []environment.ResourceRecord `json:"resources"`           // in the order of their addresses
}

// At folds an environment up to a moment. What was not there yet is fault.NotFound; a fact that this version does not know,
// or that can't follow, is the error of its decoding.
func At(ctx context.Context, j Entries, name string, m Moment) (View, error) {
	l := newLife(name)
	err := each(ctx, j, store.Selection{Partition: -1, Environment: name}, func(e store.Entry) (bool, error) {
		if !m.holds(e) {
			return false, nil
		}
		return true, l.evolve(e)
	})
	if err != nil {
		return View{}, err
	}
	changes := l.changes()
	if len(changes.Environments) == 0 {
		return View{}, fault.New(fault.Reject, fault.NotFound, "there was no environment %q then", name)
	}
	v := View{Seq: l.last.Seq, Time: l.last.Time, Environment: changes.Environments[0], Resources: changes.Resources}
	if n := len(changes.Operations); n > 0 {
		v.Operation = &changes.Operations[n-1]
	}
	return v, nil
}

// Evolve takes a journal entry into a state. One that was altered may follow on nothing that the domain reckons with, so a
// panic is an error here, and not the end of whoever reads a journal.
func Evolve(s *environment.State, e store.Entry) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.New(fault.GiveUp, fault.Internal, "journal entry %d of partition %d (%s of %q) does not fit what came before it: %v",
				e.Seq, e.Partition, e.Type, e.Environment, p)
		}
	}()
	body, err := environment.DecodeBody(e.Type, e.Data)
	if err == nil {
		err = environment.Evolve(s, environment.Fact{At: e.Time, Body: body})
	}
	if err != nil {
		return fmt.Errorf("journal entry %d of partition %d: %w", e.Seq, e.Partition, err)
	}
	return nil
}

// each visits the selected entries in order until visit says that it has enough.
func each(ctx context.Context, j Entries, s store.Selection, visit func(store.Entry) (bool, error)) error {
	s.Limit = page
	for {
		entries, err := j.Entries(ctx, s)
		if err != nil {
			return err
		}
		for _, e := range entries {
			more, err := visit(e)
			if err != nil || !more {
				return err
			}
			s.After = e.Seq
		}
		if len(entries) < page {
			return nil
		}
	}
}
