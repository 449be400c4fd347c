package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"path/filepath"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/store/sqlite"
)

// restart measures how long a server takes that finds 1,000 environments of 50 resources in its store, all of them in
// the journal only: the worst case, since snapshots are quicker.
func restart(ctx context.Context, r *report) error {
	return inFolder(func(dir string) error {
		if err := history(ctx, filepath.Join(dir, "store.db")); err != nil {
			return err
		}
		return withEmbedded(ctx, dir, func(b bus.Bus) (err error) {
			start := time.Now()
			c, err := newCluster(ctx, dir, b)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, c.close(context.WithoutCancel(ctx))) }()
			for len(c.orchestrator.Status().Owned) < partitions {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(5 * time.Millisecond):
				}
			}
			r.row("start with 1,000 environments of 50 resources", fmt.Sprintf("%.2f s", time.Since(start).Seconds()), "< 5 s")
			return nil
		})
	})
}

const partitions = 16

// history writes what the deployment of the environments would have written.
func history(ctx context.Context, file string) error {
	s, err := sqlite.Open(ctx, sqlite.Options{Path: file})
	if err != nil {
		return err
	}
	d := environment.NewDecider(environment.Policy{Epoch: 1})
	seqs := make([]uint64, partitions)
	for i := range 1000 {
		if err := deployed(ctx, s, d, fmt.Sprintf("past-%d", i), seqs); err != nil {
			return errors.Join(err, s.Close())
		}
	}
	return s.Close()
}

func deployed(ctx context.Context, s store.Store, d *environment.Decider, name string, seqs []uint64) error {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	p := int(h.Sum32() % partitions)
	state := environment.NewState(name)
	var facts []environment.Fact
	decide := func(in environment.Input) {
		facts = append(facts, d.Decide(state, environment.Surroundings{Resolver: nothing{}}, in, time.Now().UTC()).Facts...)
	}
	nodes := make([]environment.Node, 50)
	for i := range nodes {
		nodes[i] = environment.Node{Address: fmt.Sprintf("fifty.noop.n[%d]", i), Type: environment.ResourceNode, Template: "fifty", Executor: "noop", Name: "n", Key: fmt.Sprint(i)}
	}
	decide(environment.CreateInput{CommandMeta: environment.CommandMeta{CommandID: name}, Resolved: environment.Resolved{Nodes: nodes}})
	for _, n := range nodes {
		decide(environment.ResultInput{Result: event.Result{TaskRef: event.TaskRef{Environment: name, Operation: "op-1", Step: n.Address, Attempt: 1, Epoch: 1},
			Runner: "bench/1", StartedAt: time.Now(), FinishedAt: time.Now(), Outputs: json.RawMessage(`{"inputs":null}`)}})
	}
	b := store.Batch{Partition: p, Epoch: 1}
	for _, f := range facts {
		data, err := json.Marshal(f.Body)
		if err != nil {
			return err
		}
		seqs[p]++
		b.Entries = append(b.Entries, store.Entry{Partition: p, Seq: seqs[p], Environment: name, Type: f.Body.Type(), Time: f.At, Epoch: 1, Operation: "op-1", Data: data})
	}
	b.Changes = state.Changes(p, seqs[p])
	if err := s.Append(ctx, b); err != nil {
		return err
	}
	return s.Relayed(ctx, p, seqs[p])
}

// nothing resolves to nothing.
type nothing struct{}

func (nothing) Inputs(string, func(string) (json.RawMessage, bool)) (environment.Inputs, error) {
	return environment.Inputs{}, nil
}
func (nothing) Proposal(string, func(string) (json.RawMessage, bool)) (environment.Inputs, error) {
	return environment.Inputs{}, nil
}
func (nothing) Endpoint(string, func(string) (json.RawMessage, bool)) (*event.Endpoint, error) {
	return nil, nil
}
func (nothing) Outputs(func(string) (json.RawMessage, bool)) (json.RawMessage, error) {
	return nil, nil
}
func (nothing) Entrypoints(func(string) (json.RawMessage, bool)) ([]environment.Entrypoint, error) {
	return nil, nil
}
