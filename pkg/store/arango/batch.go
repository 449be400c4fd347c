package arango

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// document is what is sent as one; keys that begin with an underscore are the server's.
type document map[string]any

// batch is a store.Batch as documents.
type batch struct {
	partition    int
	partitionKey string
	epoch        uint64
	first, count uint64
	token        string

	entries, snapshots, templates       []document
	created, removed, forgotten         []string // keys; of resources that are no more, and of states
	states                              []store.StepState
	environments, resources, operations []document
	environmentEdges, resourceEdges     map[string][]document // by edge collection
}

func newBatch(in store.Batch) (*batch, error) {
	b := &batch{partition: in.Partition, partitionKey: partitionKey(in.Partition), epoch: in.Epoch,
		count: uint64(len(in.Entries)), token: newToken(), states: in.States,
		environmentEdges: map[string][]document{}, resourceEdges: map[string][]document{}}
	for i, e := range in.Entries {
		if i == 0 {
			b.first = e.Seq
		}
		b.entries = append(b.entries, entryDocument(e))
	}
	for _, name := range in.Changes.Created {
		b.created = append(b.created, keyOf(name))
	}
	for _, r := range in.Changes.Removed {
		if r.Address != "" {
			b.removed = append(b.removed, keyOf(r.Environment, r.Address))
		}
		if r.State != "" {
			b.forgotten = append(b.forgotten, keyOf(r.Environment, r.State))
		}
	}
	if err := b.addRecords(in.Changes); err != nil {
		return nil, err
	}
	return b, b.addRest(in)
}

func entryDocument(e store.Entry) document {
	return document{"partition": e.Partition, "seq": e.Seq, "home": keyOf(e.Environment), "environment": e.Environment,
		"type": e.Type, "time": e.Time.UTC().Format(time.RFC3339Nano), "epoch": e.Epoch, "operation": e.Operation,
		"causation": e.Causation, "traceparent": e.TraceParent, "data": string(e.Data), "chain": e.Chain}
}

// last keeps the last of several records of one key; what it stood at in between nobody will ever see.
func last[T any](records []T, key func(T) string) []T {
	at := make(map[string]int, len(records))
	for i, r := range records {
		at[key(r)] = i
	}
	kept := make([]T, 0, len(at))
	for i, r := range records {
		if at[key(r)] == i {
			kept = append(kept, r)
		}
	}
	return kept
}

func (b *batch) addRecords(c environment.Changes) error {
	for _, r := range last(c.Environments, func(r environment.Record) string { return r.Name }) {
		d, err := environmentDocument(r)
		if err != nil {
			return err
		}
		b.environments = append(b.environments, d)
		b.linkEnvironment(r)
	}
	for _, r := range last(c.Resources, func(r environment.ResourceRecord) string { return keyOf(r.Environment, r.Address) }) {
		d, err := resourceDocument(r)
		if err != nil {
			return err
		}
		b.resources = append(b.resources, d)
		b.linkResource(r)
	}
	for _, o := range last(c.Operations, func(r environment.OperationRecord) string { return keyOf(r.Environment, r.ID) }) {
		d, err := operationDocument(o)
		if err != nil {
			return err
		}
		b.operations = append(b.operations, d)
	}
	return nil
}

func (b *batch) addRest(in store.Batch) error {
	newest := last(in.Snapshots, func(s store.Snapshot) string { return partitionKey(s.Partition) + "/" + s.Environment })
	for _, s := range newest {
		b.snapshots = append(b.snapshots, document{"_key": keyOf(partitionKey(s.Partition), s.Environment), "partition": s.Partition,
			"environment": s.Environment, "place": placeOf(s.Environment), "seq": s.Seq, "data": blob(s.Data)})
	}
	for _, t := range in.Templates {
		data, err := encode(t)
		if err != nil {
			return err
		}
		b.templates = append(b.templates, document{"_key": keyOf(t.Hash), "hash": t.Hash, "name": t.Name, "version": t.Version,
			"commit": t.Commit, "description": t.Description, "tags": list(t.Tags), "data": data, "archive": blob(t.Archive)})
	}
	return nil
}

// encode makes the JSON of a record.
func encode(record any) (string, error) {
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(record); err != nil {
		return "", fault.Wrap(err, fault.GiveUp, fault.Invalid, "a %T is no JSON and can't be stored", record)
	}
	return strings.TrimSuffix(text.String(), "\n"), nil
}

// blob is sent as base64; nil is nothing, and not null.
func blob(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}

func list(texts []string) []string {
	if texts == nil {
		return []string{}
	}
	return texts
}
