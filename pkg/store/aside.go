package store

import (
	"context"
	"time"

	"github.com/vivarium-env/vivarium/pkg/environment"
)

// Aside is what was set aside of a partition's journal: entries that this side wrote or heard of, and that the side which has taken
// over never had. They count for nothing any more, and are kept until somebody removes the store.
type Aside struct {
	// ID tells it from all others: the same entries have the same one.
	ID        string `json:"id"`
	Partition int    `json:"partition"`
	// First and Last are the seqs of the entries.
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
	// Epoch is that of the last of them, and Overtaken the one that is in force instead.
	Epoch     uint64 `json:"epoch"`
	Overtaken uint64 `json:"overtaken"`
	// Common is Mark of the entry before First, up to which both journals are the same; empty where there is none.
	Common string `json:"common,omitempty"`
	// Time is when they were set aside, and Primary whose journal is followed instead.
	Time    time.Time `json:"time"`
	Primary string    `json:"primary,omitempty"`
	// Environments that the entries are about, and the States of steps that these had, by their places.
	Environments []AsideEnvironment `json:"environments"`
	States       []AsideState       `json:"states,omitempty"`
}

// AsideEnvironment is what set aside entries had made of an environment.
type AsideEnvironment struct {
	Name    string `json:"name"`
	Entries int    `json:"entries"`
	// Before is its status without them, empty where it was not there; After with them.
	Before environment.Status `json:"before,omitempty"`
	After  environment.Status `json:"after,omitempty"`
}

// AsideState names a state that is kept with the entries that name it.
type AsideState struct {
	Environment string `json:"environment"`
	Step        string `json:"step"`
	Hash        string `json:"hash"`
	Size        int    `json:"size"` // sealed, in bytes
}

// Cut takes a partition's journal back to the entry before Aside.First.
type Cut struct {
	Aside Aside
	// Epoch is Batch.Epoch.
	Epoch uint64
	// What the remaining entries say of Aside.Environments, of which everything else is removed: records, snapshots, and those states
	// that are there. Other environments stay as they are.
	Changes   environment.Changes
	Snapshots []Snapshot
	States    []StepState
}

// Asides keep apart what a journal has lost to another one. All methods are safe for concurrent use.
type Asides interface {
	// CutBack sets aside and takes back in one transaction: the entries behind, and all states that the environments have, are moved.
	// Snapshots of the partition are then of its new head at most, and so is what is relayed. Errors: ErrConflict where the head is not
	// Aside.Last, ErrStaleEpoch. What is set aside already is no error, and changes nothing.
	CutBack(ctx context.Context, c Cut) error
	// Asides are all that there are, the oldest first.
	Asides(ctx context.Context) ([]Aside, error)
	// AsideEntries are in the order of seq; Limit 0 takes 1000.
	AsideEntries(ctx context.Context, id string, after uint64, limit int) ([]Entry, error)
	// AsideState is one of Aside.States, or ErrNotFound.
	AsideState(ctx context.Context, id, environment, step string) (StepState, error)
}
