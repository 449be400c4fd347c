package storetest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// start is a moment with nanoseconds and a zone, which have to survive as the same instant.
var start = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.FixedZone("", 3600))

// entries of a partition from first on, all of one environment.
func entries(partition int, first uint64, count int, name string) []store.Entry {
	made := make([]store.Entry, count)
	for i := range made {
		seq := first + uint64(i)
		made[i] = store.Entry{
			Partition: partition, Seq: seq, Environment: name, Type: "step.completed",
			Time: start.Add(time.Duration(seq) * time.Second), Epoch: 1, Operation: "operation-1",
			Causation: "command-1", TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
			Data: json.RawMessage(fmt.Sprintf(`{"number":%d,"text":"<&> \"é\""}`, seq)),
		}
	}
	return made
}

// batch of entries of epoch 1.
func batch(partition int, first uint64, count int, name string) store.Batch {
	return store.Batch{Partition: partition, Epoch: 1, Entries: entries(partition, first, count, name)}
}

// record of an environment with every field set.
func record(name string) environment.Record {
	until := start.Add(time.Hour)
	return environment.Record{
		Name: name, Status: environment.Deploying, Description: "what " + name + " is for",
		Tags:        []string{"team:" + name},
		Templates:   []environment.Template{{Name: "notes", Version: "1.2.0", Hash: "h1", Commit: "c1"}},
		Parameters:  map[string]json.RawMessage{"replicas": json.RawMessage("2"), "text": json.RawMessage(`"<a&b>"`)},
		Outputs:     json.RawMessage(`{"url":"https://example.test"}`),
		Entrypoints: []environment.Entrypoint{{Name: "web", URL: "https://example.test", Description: "the web"}},
		Groups:      []environment.Group{{Name: "network", Description: "below"}},
		Operation:   "operation-1", Error: fault.New(fault.GiveUp, fault.ExecutorFailed, "it failed"),
		Resources: map[environment.Status]int{environment.Pending: 3}, DestroyAt: &until,
		CreatedAt: start.UTC(), UpdatedAt: start.UTC(), Partition: 3, Revision: 7, Epoch: 1,
	}
}

// resource of an environment, depending on others.
func resource(name, address string, depends ...string) environment.ResourceRecord {
	at := start.UTC()
	return environment.ResourceRecord{
		Node: environment.Node{
			Address: address, Type: environment.ResourceNode, Template: "notes", Executor: "noop", Name: address,
			DependsOn: depends, Timeout: time.Minute, Retry: &environment.RetryPolicy{Attempts: 3, Backoff: time.Second},
		},
		Environment: name, Status: environment.Pending,
		Step: environment.StepRecord{
			Operation: "operation-1", Verb: event.Apply, State: environment.StateBlocked, Attempt: 1,
			Reason: &environment.Reason{Code: "dependency", Detail: "waits", Until: &at}, StartedAt: &at,
		},
		Inputs: json.RawMessage(`{"size":1}`), Outputs: json.RawMessage(`{"id":"x"}`), Revision: 2, UpdatedAt: at,
	}
}

// operation of an environment that started some minutes after start.
func operation(name, id string, minutes int) environment.OperationRecord {
	return environment.OperationRecord{
		ID: id, Environment: name, Kind: environment.CreateOperation, Status: environment.OperationRunning,
		CommandID: "command-1", RequestedBy: "test", Parallelism: 4,
		Steps:     map[environment.StepState]int{environment.StateBlocked: 2},
		StartedAt: start.UTC().Add(time.Duration(minutes) * time.Minute), Revision: 1,
	}
}

// journal appends one batch after the other to a partition and keeps count of it.
type journal struct {
	store     store.Store
	partition int
	head      uint64
}

// change appends one entry and the changes.
func (j *journal) change(t *testing.T, c environment.Changes) {
	t.Helper()
	b := batch(j.partition, j.head+1, 1, "any")
	b.Changes = c
	require.NoError(t, j.store.Append(t.Context(), b))
	j.head++
}

func (j *journal) environments(t *testing.T, records ...environment.Record) {
	t.Helper()
	j.change(t, environment.Changes{Environments: records})
}

// sameJSON compares what readers see of two values.
func sameJSON(t *testing.T, want, got any) {
	t.Helper()
	a, err := json.Marshal(want)
	require.NoError(t, err)
	b, err := json.Marshal(got)
	require.NoError(t, err)
	require.JSONEq(t, string(a), string(b))
}

// sameEntries compares entries: their times as instants, their data as JSON.
func sameEntries(t *testing.T, want, got []store.Entry) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		a, b := want[i], got[i]
		require.True(t, a.Time.Equal(b.Time), "time %s is read as %s", a.Time, b.Time)
		a.Time, b.Time = time.Time{}, time.Time{}
		sameJSON(t, a, b)
	}
}

func all(partition int) store.Selection { return store.Selection{Partition: partition, Limit: 100_000} }

func read(t *testing.T, s store.Store, q store.Selection) []store.Entry {
	t.Helper()
	found, err := s.Entries(t.Context(), q)
	require.NoError(t, err)
	return found
}

func names(records []environment.Record) []string {
	found := make([]string, len(records))
	for i, r := range records {
		found[i] = r.Name
	}
	return found
}

func addresses(records []environment.ResourceRecord) []string {
	found := make([]string, len(records))
	for i, r := range records {
		found[i] = r.Address
	}
	return found
}
