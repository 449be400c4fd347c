package store

import "context"

// Secondaries are those of other sides that this side's primary counts: it acts only while enough of them hear it, and a takeover needs
// enough of them. All servers of a side go by the same ones, which is why they are here.
type Secondaries struct {
	// Epoch is the primary's: what an earlier primary had counted says nothing under a later one.
	Epoch uint64 `json:"epoch"`
	// Version grows with each change; 0 before the first.
	Version uint64 `json:"version"`
	// Counted are in the order of their names.
	Counted []Secondary `json:"counted"`
	// Joining is the one that is counted as soon as all that are counted know of it, nil where there is none.
	Joining *Secondary `json:"joining,omitempty"`
}

// Names of those that are counted.
func (s Secondaries) Names() []string {
	list := make([]string, len(s.Counted))
	for i, o := range s.Counted {
		list[i] = o.Name
	}
	return list
}

// Secondary is one of them.
type Secondary struct {
	Name string `json:"name"`
	// Side is the same for those that have one store.
	Side string `json:"side,omitempty"`
}

// Counting keeps the secondaries that a side counts. All methods are safe for concurrent use, also by several servers.
type Counting interface {
	// Secondaries are as they are when this is called, also where another server has written them.
	Secondaries(ctx context.Context) (Secondaries, error)
	// Count writes, durably, others in the place of those whose Version is was. Errors: ErrConflict where these are not there any
	// more, ErrStaleEpoch.
	Count(ctx context.Context, was uint64, s Secondaries) error
}
