package history

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// Revision is what an environment was to be after an operation that changed that: its create, an update, a rollback or a
// promotion. They are numbered from 1 within a life: an environment that is made again begins anew.
type Revision struct {
	Number      int       `json:"number"`
	Kind        Kind      `json:"kind" jsonschema:"enum=create,enum=clone,enum=update,enum=rollback,enum=promote"`
	Operation   string    `json:"operation"`
	Seq         uint64    `json:"seq"` // of the journal entry
	At          time.Time `json:"at"`
	CommandID   string    `json:"command_id,omitempty"`
	RequestedBy string    `json:"requested_by,omitempty"`
	// Templates as they were then; the hash names what the store keeps.
	Templates []environment.Template `json:"templates"`
	// Parameters that were given. Others follow the defaults of the templates.
	Parameters map[string]json.RawMessage `json:"parameters,omitempty"`
	// Changed are the parameters in force that became others, against the revision before.
	Changed []environment.ParameterChange `json:"changed,omitempty"`
	Origin  *environment.Origin           `json:"origin,omitempty"`
	// Kept are the parameters that promotions leave alone from then on.
	Kept []string `json:"kept,omitempty"`
	// Outcome of the operation, or of the last retry of it.
	Outcome environment.OperationStatus `json:"outcome"`
	Error   *fault.Error                `json:"error,omitempty"`
}

// Kind of a revision.
type Kind string

const (
	ByCreate   Kind = "create"
	ByClone    Kind = "clone"
	ByUpdate   Kind = "update"
	ByRollback Kind = "rollback"
	ByPromote  Kind = "promote"
)

// revisions is one environment's life so far, seen by what it was to be.
type revisions struct {
	list []Revision
	all  map[string]json.RawMessage // parameters in force, of the last one
}

// Revisions of an environment, in their order: of its life, or of its last one when it was destroyed. Parameters hold sealed
// leaves.
func Revisions(ctx context.Context, j Entries, name string) ([]Revision, error) {
	var r revisions
	err := each(ctx, j, store.Selection{Partition: -1, Environment: name}, func(e store.Entry) (bool, error) { return true, r.add(e) })
	return r.list, err
}

// concerns tells whether entries of a type say something of revisions: most of a journal is about steps.
func concerns(typ string) bool {
	switch typ {
	case environment.Created{}.Type(), environment.Updated{}.Type(), environment.StatusRetrying{}.Type(),
		environment.Finished{}.Type():
		return true
	}
	return false
}

func (r *revisions) add(e store.Entry) error {
	if !concerns(e.Type) {
		return nil
	}
	body, err := environment.DecodeBody(e.Type, e.Data)
	if err != nil {
		return err
	}
	switch b := body.(type) {
	case environment.Created:
		*r = revisions{}
		r.begin(e, Revision{Kind: ByCreate, Operation: b.Operation, CommandID: b.CommandID, RequestedBy: b.RequestedBy,
			Templates: b.Templates, Origin: b.Origin}, b.Parameters, b.Given)
	case environment.Updated:
		next := Revision{Kind: ByUpdate, Operation: b.Operation, CommandID: b.CommandID, RequestedBy: b.RequestedBy,
			Templates: b.Templates, Changed: b.Changed, Origin: b.Origin, Kept: b.Kept}
		if b.Changed == nil {
			next.Changed = changed(r.all, b.Parameters)
		}
		if n := len(r.list); n > 0 && b.Kept == nil {
			next.Kept = r.list[n-1].Kept
		}
		r.begin(e, next, b.Parameters, b.Given)
	case environment.StatusRetrying:
		r.outcome(environment.OperationRunning, nil)
	case environment.Finished:
		switch b.Kind {
		case environment.CreateOperation, environment.UpdateOperation, environment.RetryOperation:
			r.outcome(b.Status, b.Error)
		}
	}
	return nil
}

func (r *revisions) begin(e store.Entry, next Revision, all map[string]json.RawMessage, given []string) {
	switch o := next.Origin; {
	case o == nil:
	case next.Kind == ByCreate:
		next.Kind = ByClone
	case o.Environment != "":
		next.Kind = ByPromote
	default:
		next.Kind = ByRollback
	}
	next.Number, next.Seq, next.At, next.Outcome = len(r.list)+1, e.Seq, e.Time, environment.OperationRunning
	next.Parameters = environment.Given(all, given)
	r.list, r.all = append(r.list, next), all
}

func (r *revisions) outcome(status environment.OperationStatus, err *fault.Error) {
	if n := len(r.list); n > 0 {
		r.list[n-1].Outcome, r.list[n-1].Error = status, err
	}
}

// changed compares what an older journal did not tell. Two sealings of one secret can't be told from two secrets, so nothing is
// said of parameters that were secret and are.
func changed(before, after map[string]json.RawMessage) []environment.ParameterChange {
	names := maps.Clone(before)
	if names == nil {
		names = map[string]json.RawMessage{}
	}
	maps.Copy(names, after)
	var list []environment.ParameterChange
	for _, name := range slices.Sorted(maps.Keys(names)) {
		was, is := secret.Show(before[name]), secret.Show(after[name])
		if !bytes.Equal(was, is) {
			list = append(list, environment.ParameterChange{Name: name, Before: was, After: is})
		}
	}
	return list
}
