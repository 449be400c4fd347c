package store

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrConflict: (partition, seq) is taken. Another server owns the partition: forget and load again.
	ErrConflict = errors.New("store: the journal has moved on")
	// ErrStaleEpoch: the store has seen a higher epoch than the batch's.
	ErrStaleEpoch = errors.New("store: a higher epoch is in force")
	// ErrNotFound: no such record.
	ErrNotFound = errors.New("store: not found")
	// ErrCursor: a cursor that this store did not give.
	ErrCursor = errors.New("store: not a cursor of this list")
)

// Entry is one fact in the journal.
type Entry struct {
	Partition   int             `json:"partition"`
	Seq         uint64          `json:"seq"` // from 1, without gaps, within the partition
	Environment string          `json:"environment"`
	Type        string          `json:"type"` // such as "environment.created", "step.completed"
	Time        time.Time       `json:"time"`
	Epoch       uint64          `json:"epoch"`
	Operation   string          `json:"operation,omitempty"`
	Causation   string          `json:"causation,omitempty"` // id of the command behind it
	TraceParent string          `json:"traceparent,omitempty"`
	Data        json.RawMessage `json:"data"`
	// Chain is Link of the entry before and this one; empty in what was written before there were chains.
	Chain string `json:"chain,omitempty"`
}

// Snapshot is an environment's state as of Seq, from which the entries behind it lead on.
type Snapshot struct {
	Environment string
	Partition   int
	Seq         uint64
	Data        []byte
}

// TemplateRecord is a template that an environment was made from, kept so that it can be evaluated and destroyed
// when the catalogue has moved on. Keyed by Hash; written once.
type TemplateRecord struct {
	environment.Template
	Description string   `json:"description,omitempty"`
	Tags        []string `json:"tags,omitempty"`
	// Archive is the template's whole folder as a gzipped tar.
	Archive []byte `json:"-"`
}

// StepState is what the executor of a step has to know the next time, such as Terraform's state, sealed
// (event.State.Data). Each environment and step has one at most.
type StepState struct {
	Environment string
	Step        string
	// Hash is environment.StateRef's, which the journal has.
	Hash string
	Data []byte
}

// Batch is what one transaction writes.
type Batch struct {
	Partition int
	Epoch     uint64
	// Entries of one partition; the first has the partition's head + 1, the rest follow on.
	Entries   []Entry
	Changes   environment.Changes
	Snapshots []Snapshot
	Templates []TemplateRecord
	// States are written over what is there, one after the other; one without Data removes the step's, and without a Step
	// all of the environment's. Those of an environment in Changes.Created are removed before.
	States []StepState
}

// Head is how far a partition is.
type Head struct {
	Partition int    `json:"partition"`
	Seq       uint64 `json:"seq"`
	// Relayed is the sequence up to which entries are known to be published.
	Relayed uint64 `json:"relayed"`
	// Chain of the entry at Seq.
	Chain string `json:"chain,omitempty"`
}

// Selection of journal entries, in ascending order of seq. The zero value of a field does not select.
type Selection struct {
	// Partition is required, unless Environment is given with Partition -1.
	Partition   int
	Environment string
	After       uint64 // only entries with a higher seq
	Limit       int    // 0 takes 1000
}

// Journal is the ordered truth. All methods are safe for concurrent use.
type Journal interface {
	// Append writes the batch durably, together with others that are waiting where the driver can (group commit).
	// Errors: ErrConflict, ErrStaleEpoch, or what keeps the store from writing (nothing is written then).
	Append(ctx context.Context, b Batch) error
	Entries(ctx context.Context, s Selection) ([]Entry, error)
	Head(ctx context.Context, partition int) (Head, error)
	// Relayed records that entries up to seq are published; it never falls and need not be durable at once.
	Relayed(ctx context.Context, partition int, seq uint64) error
	// Snapshots of a partition's environments, newest of each. With a name, only that environment's.
	Snapshots(ctx context.Context, partition int, environment string) ([]Snapshot, error)
	// Watch gets a value (without waiting for the reader) after each change of the journal, also by other processes; the
	// channel is closed when ctx ends.
	Watch(ctx context.Context) <-chan struct{}
	// Epoch is the one in force: the highest that a batch had, 0 before the first.
	Epoch(ctx context.Context) (uint64, error)
}

// Filter of environments; empty fields do not filter.
type Filter struct {
	Statuses []environment.Status
	Tags     []string // all of them
	Text     string   // words that begin in name, description or tags, in any order; never a syntax of the store's
	Template string   // name, or name@version
	Health   []string // any of these statuses of environment.HealthSummary
	// Drifted selects those of which the last check has found resources gone or other than they were left, or those without.
	Drifted *bool
	Sort    Sort
	Page
}

// Page is where a list goes on. Cursors are opaque and stay right while data changes: every record that was there
// all the time is listed once.
type Page struct {
	Cursor string
	Limit  int // 0 takes 100; at most 1000
}

// Reader answers from the projection. Missing things are ErrNotFound. Lists return the cursor of the next page,
// empty at the end.
type Reader interface {
	Environment(ctx context.Context, name string) (environment.Record, error)
	Environments(ctx context.Context, f Filter) ([]environment.Record, string, error)
	// Resources of an environment in the order of their addresses; Limit -1 lists all of them.
	Resources(ctx context.Context, environment string, p Page) ([]environment.ResourceRecord, string, error)
	// Operations of an environment, newest first.
	Operations(ctx context.Context, environment string, p Page) ([]environment.OperationRecord, string, error)
	Template(ctx context.Context, hash string) (TemplateRecord, error)
	// State of a step. It is for the next attempt, and for replication; what it says is sealed.
	State(ctx context.Context, environment, step string) (StepState, error)
}

// LogRecord is one kept line; ID grows in the order of arrival within the store.
type LogRecord struct {
	ID        uint64 `json:"id"`
	Operation string `json:"operation"`
	Step      string `json:"step"`
	Attempt   int    `json:"attempt"`
	// Number within the attempt, from 0; what is missing was pruned, or never came. Attempt 0 is what the resource prints while
	// it is deployed: its numbers grow, with gaps that say nothing.
	Number int `json:"number"`
	event.LogLine
}

// LogSelection selects lines of an environment's operation in order of ID.
type LogSelection struct {
	Environment string
	Operation   string // empty: all
	Step        string // empty: all
	Attempt     int    // 0: all
	After       uint64 // only higher IDs
	Limit       int    // 0 takes 1000
	Newest      bool   // the last lines up to Limit instead of the first, in the same order
}

// Logs keeps what executors print. A line of the same task and number is kept once. What is kept is bounded in number and
// in time; the oldest lines go, and readers see it by the numbers that are missing.
type Logs interface {
	AppendLogs(ctx context.Context, batches ...event.Logs) error
	ReadLogs(ctx context.Context, s LogSelection) ([]LogRecord, error)
}

// Store is all of it.
type Store interface {
	Journal
	Reader
	Graph
	Logs
	Asides
	Counting
	// Info names the driver and the version of what is behind it.
	Info() Info
	io.Closer
}

// Info about a store.
type Info struct {
	Driver  string `json:"driver"`
	Version string `json:"version"`
	Address string `json:"address"` // file or host, never credentials
}
