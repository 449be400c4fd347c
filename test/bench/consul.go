package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/consulkv"
	"github.com/vivarium-env/vivarium/test/servers"
)

const (
	consulKeys  = 1000
	consulBatch = 64 // operations that Consul takes as one transaction
	consulRuns  = 5
)

// consulKV writes many keys by the executor and by nothing but transactions.
func consulKV(ctx context.Context, r *report) error {
	return inFolder(func(dir string) error {
		consul, err := servers.StartConsul(ctx, dir)
		if err != nil {
			return err
		}
		defer func() { _ = consul.Stop(context.WithoutCancel(ctx)) }()
		transport := &http.Transport{}
		defer transport.CloseIdleConnections()
		c, err := api.NewClient(&api.Config{Address: consul.Address(), HttpClient: &http.Client{Transport: transport}})
		if err != nil {
			return err
		}
		e := consulkv.New(consulkv.Options{Address: consul.Address()})
		defer e.Close()
		return consulRows(ctx, r, c.KV(), e)
	})
}

func consulRows(ctx context.Context, r *report, kv *api.KV, e *consulkv.Executor) error {
	values := map[string]string{}
	for i := range consulKeys {
		values[fmt.Sprintf("group-%d/key-%04d", i%7, i)] = strings.Repeat("v", 100)
	}
	inputs, err := json.Marshal(map[string]any{"prefix": "bench/ours", "keys": values})
	if err != nil {
		return err
	}
	request := executor.Request{TaskRef: event.TaskRef{Environment: "bench", Step: "keys"}, Inputs: inputs}
	apply := func() error { _, err := e.Apply(ctx, request); return err }
	floor, err := onEmpty(ctx, kv, func() error { return bareTransactions(ctx, kv, values) })
	if err != nil {
		return err
	}
	ours, err := onEmpty(ctx, kv, apply)
	if err != nil {
		return err
	}
	if err := apply(); err != nil {
		return err
	}
	again, err := median(consulRuns, func() (time.Duration, error) { start := time.Now(); err := apply(); return time.Since(start), err })
	if err != nil {
		return err
	}
	r.row(fmt.Sprintf("floor: %d Consul keys by bare transactions of %d", consulKeys, consulBatch), fmt.Sprintf("%.0f ms", ms(floor)), "")
	r.row(fmt.Sprintf("consul_kv: %d keys written", consulKeys), fmt.Sprintf("%.0f ms (%.2f of the floor)", ms(ours), ms(ours)/ms(floor)), "< 1000 ms")
	r.row(fmt.Sprintf("consul_kv: %d keys found as they should be", consulKeys), fmt.Sprintf("%.0f ms", ms(again)), "")
	return nil
}

// onEmpty measures work on a store without keys.
func onEmpty(ctx context.Context, kv *api.KV, work func() error) (time.Duration, error) {
	return median(consulRuns, func() (time.Duration, error) {
		if _, err := kv.DeleteTree("bench/", (&api.WriteOptions{}).WithContext(ctx)); err != nil {
			return 0, err
		}
		start := time.Now()
		err := work()
		return time.Since(start), err
	})
}

// bareTransactions looks at nothing and checks nothing.
func bareTransactions(ctx context.Context, kv *api.KV, values map[string]string) error {
	var ops api.KVTxnOps
	for key, value := range values {
		ops = append(ops, &api.KVTxnOp{Verb: api.KVSet, Key: "bench/floor/" + key, Value: []byte(value)})
	}
	for batch := range slices.Chunk(ops, consulBatch) {
		ok, answer, _, err := kv.Txn(batch, (&api.QueryOptions{}).WithContext(ctx))
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("a transaction was rolled back: %+v", answer.Errors)
		}
	}
	return nil
}
