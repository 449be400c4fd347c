package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// BenchmarkFloor is the least that one durable transaction costs here: one short row.
func BenchmarkFloor(b *testing.B) {
	c, err := openWriter(b.Context(), filepath.Join(b.TempDir(), "floor.db"), time.Second)
	require.NoError(b, err)
	defer func() { require.NoError(b, c.close()) }()
	require.NoError(b, c.script("CREATE TABLE floor (id INTEGER PRIMARY KEY, data TEXT)"))
	for b.Loop() {
		if _, err := c.exec("INSERT INTO floor (data) VALUES (?)", "some words that are not many"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAppend: entries and as many resource records, in one call, by one caller.
func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 20, 200} {
		b.Run(fmt.Sprintf("entries=%d", n), func(b *testing.B) {
			s := testStore(b, Options{})
			changes := benchEnvironment("e", n)
			require.NoError(b, s.Append(b.Context(), store.Batch{Epoch: 1, Changes: changes}))
			changes.Created = nil
			if n == 1 {
				changes.Environments, changes.Operations = nil, nil
			}
			seq := uint64(1)
			for b.Loop() {
				if err := s.Append(b.Context(), benchBatch(0, seq, n, changes)); err != nil {
					b.Fatal(err)
				}
				seq += uint64(n)
			}
		})
	}
}

// BenchmarkCreate: a new environment, which has no rows to write over.
func BenchmarkCreate(b *testing.B) {
	s := testStore(b, Options{})
	seq := uint64(1)
	for b.Loop() {
		if err := s.Append(b.Context(), benchBatch(0, seq, 200, benchEnvironment(fmt.Sprint("e", seq), 200))); err != nil {
			b.Fatal(err)
		}
		seq += 200
	}
}

// BenchmarkAppendTogether: 16 partitions append at once and share transactions.
func BenchmarkAppendTogether(b *testing.B) {
	s := testStore(b, Options{})
	var next atomic.Int64
	b.SetParallelism(8)
	b.RunParallel(func(p *testing.PB) {
		partition := int(next.Add(1))
		changes := benchEnvironment(fmt.Sprint("e", partition), 1)
		changes.Environments, changes.Operations, changes.Created = nil, nil, nil
		for seq := uint64(1); p.Next(); seq++ {
			if err := s.Append(context.Background(), benchBatch(partition, seq, 1, changes)); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkAppendLogs: twenty lines of one step.
func BenchmarkAppendLogs(b *testing.B) {
	s := testStore(b, Options{})
	l := event.Logs{TaskRef: event.TaskRef{Environment: "e", Operation: "o", Step: "notes.terraform.network"}}
	for range 20 {
		l.Lines = append(l.Lines, event.LogLine{Time: time.Now(), Stream: "out", Text: "terraform_data.network: Creation complete after 0s"})
	}
	for b.Loop() {
		if err := s.AppendLogs(b.Context(), l); err != nil {
			b.Fatal(err)
		}
		l.First += len(l.Lines)
	}
}

// BenchmarkRead: 1,000 environments of 100 resources.
func BenchmarkRead(b *testing.B) {
	s := testStore(b, Options{})
	for i := range 1000 {
		c := benchEnvironment(fmt.Sprintf("environment-%04d", i), 100)
		c.Environments[0].Tags = append(c.Environments[0].Tags, fmt.Sprint("shard:", i%50))
		if i%10 == 0 {
			c.Environments[0].Status = environment.Failed
		}
		require.NoError(b, s.Append(b.Context(), benchBatch(0, uint64(i*100+1), 100, c)))
	}
	run := func(name string, read func(context.Context) (int, error), want int) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if n, err := read(b.Context()); err != nil || n != want {
					b.Fatal(n, err)
				}
			}
		})
	}
	environments := func(f store.Filter) func(context.Context) (int, error) {
		return func(ctx context.Context) (int, error) {
			found, _, err := s.Environments(ctx, f)
			return len(found), err
		}
	}
	run("environment", func(ctx context.Context) (int, error) {
		_, err := s.Environment(ctx, "environment-0500")
		return 1, err
	}, 1)
	run("environments", environments(store.Filter{}), 100)
	run("by status", environments(store.Filter{Statuses: []environment.Status{environment.Failed}}), 100)
	run("by tag", environments(store.Filter{Tags: []string{"shard:7"}}), 20)
	run("by text", environments(store.Filter{Text: "environment 07"}), 100)
	run("by prefix", environments(store.Filter{Text: "environment 077"}), 10)
	run("by template", environments(store.Filter{Template: "notes@1.2.0", Page: store.Page{Limit: 10}}), 10)
	run("resources", func(ctx context.Context) (int, error) {
		found, _, err := s.Resources(ctx, "environment-0500", store.Page{Limit: -1})
		return len(found), err
	}, 100)
	run("operations", func(ctx context.Context) (int, error) {
		found, _, err := s.Operations(ctx, "environment-0500", store.Page{})
		return len(found), err
	}, 1)
	reach := func(w store.Walk) func(context.Context) (int, error) {
		return func(ctx context.Context) (int, error) {
			r, err := s.Walk(ctx, w)
			return len(r.Vertices), err
		}
	}
	first := store.Ref{Environment: "environment-0500", Address: "notes.terraform.network[0]"}
	run("dependents to depth 5", reach(store.Walk{From: first, Direction: store.Dependents, Depth: 5}), 5)
	run("all dependents", reach(store.Walk{From: first, Direction: store.Dependents}), 99)
	run("usage", func(ctx context.Context) (int, error) {
		found, _, err := s.Usage(ctx, store.Origin{Template: "notes"})
		return len(found), err
	}, 100)
	run("lineage", func(ctx context.Context) (int, error) {
		l, err := s.Lineage(ctx, first)
		return len(l.Environment.Templates), err
	}, 1)
	run("search", func(ctx context.Context) (int, error) {
		found, err := s.Search(ctx, store.Search{Text: "environment 0777", Limit: 10})
		return len(found), err
	}, 1)
	run("search of many", func(ctx context.Context) (int, error) {
		found, err := s.Search(ctx, store.Search{Text: "terraform network", Limit: 10})
		return len(found), err
	}, 10)
	run("journal", func(ctx context.Context) (int, error) {
		found, err := s.Entries(ctx, store.Selection{Partition: -1, Environment: "environment-0500"})
		return len(found), err
	}, 100)
}

func benchBatch(partition int, seq uint64, n int, c environment.Changes) store.Batch {
	b := store.Batch{Partition: partition, Epoch: 1, Changes: c, Entries: make([]store.Entry, n)}
	data := json.RawMessage(`{"step":"notes.terraform.network","attempt":1,"runner":"runner-1","outputs":{"id":"vpc-0123456789abcdef","cidr":"10.0.0.0/16"}}`)
	for i := range b.Entries {
		b.Entries[i] = store.Entry{Partition: partition, Seq: seq + uint64(i), Environment: c.Resources[0].Environment,
			Type: "step.completed", Time: time.Now(), Epoch: 1, Operation: "0192e4a1-7b2c-7000-8000-000000000001",
			Causation: "0192e4a1-7b2c-7000-8000-000000000002", Data: data}
	}
	return b
}

func benchEnvironment(name string, resources int) environment.Changes {
	now := time.Now().UTC()
	c := environment.Changes{
		Created: []string{name},
		Environments: []environment.Record{{Name: name, Status: environment.Deploying, Description: "The notes service",
			Tags:      []string{"team:notes"},
			Templates: []environment.Template{{Name: "notes", Version: "1.2.0", Hash: "0123456789abcdef"}},
			Resources: map[environment.Status]int{environment.Pending: resources}, CreatedAt: now, UpdatedAt: now}},
		Operations: []environment.OperationRecord{{ID: "operation-of-" + name, Environment: name,
			Kind: environment.CreateOperation, Status: environment.OperationRunning, StartedAt: now}},
	}
	for i := range resources {
		r := environment.ResourceRecord{Environment: name, Status: environment.Deploying, UpdatedAt: now,
			Node: environment.Node{Address: fmt.Sprintf("notes.terraform.network[%d]", i), Type: environment.ResourceNode,
				Template: "notes", Executor: "terraform", Name: "network", Key: fmt.Sprint(i), Group: "network"},
			Step: environment.StepRecord{Operation: "operation-of-" + name, Verb: event.Apply, State: environment.StateRunning,
				Attempt: 1, Runner: "runner-1", StartedAt: &now},
			Inputs: json.RawMessage(`{"cidr":"10.0.0.0/16","names":["a","b","c"],"size":3}`)}
		if i > 0 {
			r.DependsOn = []string{c.Resources[i-1].Address}
		}
		c.Resources = append(c.Resources, r)
	}
	return c
}
