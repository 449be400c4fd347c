package sqlite

import (
	"context"
	"database/sql/driver"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

const (
	seqBits      = 48
	maxSeq       = 1<<seqBits - 1
	maxPartition = 1<<15 - 1
)

// batch is a store.Batch made ready by its caller's goroutine: checked, and turned into what statements bind.
type batch struct {
	partition int
	epoch     int64
	first     int64
	count     int64

	entries      rows
	created      []string
	removed      []environment.Removal
	environments []environmentRow
	resources    []resourceRow
	operations   rows
	snapshots    rows
	templates    rows
	states       []store.StepState
}

type environmentRow struct {
	environment.Record
	facets int64
	words  string
	data   string
}

type resourceRow struct {
	environment, address string
	depends              []string
	consumes             []environment.Consumption
	createdBy, words     string
	hash                 int64 // of the above
	data                 string
}

// Append writes the batch in one transaction, together with what other callers wait with. When ctx ends while the
// batch is on its way, Append returns ctx's error and the batch may be written all the same: a caller that goes on
// has to look at the head.
func (s *Store) Append(ctx context.Context, b store.Batch) error {
	ready, err := makeReady(b)
	if err != nil {
		return err
	}
	return s.writer.do(ctx, ready.weight(), ready.write)
}

func (b *batch) weight() int {
	return 1 + int(b.count) + 2*len(b.resources) + 4*len(b.environments) + 16*len(b.states)
}

func makeReady(in store.Batch) (*batch, error) {
	if in.Partition < 0 || in.Partition > maxPartition || in.Epoch > maxSeq {
		return nil, fault.New(fault.GiveUp, fault.Invalid, "partition %d or epoch %d is out of range", in.Partition, in.Epoch)
	}
	b := &batch{partition: in.Partition, epoch: int64(in.Epoch), created: in.Changes.Created, removed: in.Changes.Removed, states: in.States}
	for _, step := range []func(store.Batch) error{b.addEntries, b.addRecords, b.addRest} {
		if err := step(in); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// addEntries refuses entries that can't be the next ones of any journal, before they reach the file.
func (b *batch) addEntries(in store.Batch) error {
	b.count = int64(len(in.Entries))
	b.entries = make(rows, 0, len(in.Entries)*entryColumns)
	for i, e := range in.Entries {
		if i == 0 {
			b.first = int64(e.Seq & maxSeq)
		}
		if e.Seq == 0 || e.Seq > maxSeq || e.Partition != in.Partition || int64(e.Seq) != b.first+int64(i) {
			return fault.Wrap(store.ErrConflict, fault.GiveUp, fault.Conflict,
				"entry %d of partition %d does not follow on entry %d of partition %d", e.Seq, e.Partition, b.first+int64(i)-1, in.Partition)
		}
		at, err := nanoseconds(e.Time)
		if err != nil {
			return err
		}
		chain, err := hex.DecodeString(e.Chain)
		if err != nil {
			return fault.Wrap(err, fault.GiveUp, fault.Invalid, "the chain of entry %d of partition %d is not hexadecimal", e.Seq, e.Partition)
		}
		b.entries = append(b.entries, int64(e.Partition)<<seqBits|int64(e.Seq), e.Environment, int64(e.Seq), e.Type, at,
			int64(e.Epoch), e.Operation, e.Causation, e.TraceParent, string(e.Data), chain)
	}
	return nil
}

func (b *batch) addRecords(in store.Batch) error {
	for _, r := range in.Changes.Environments {
		data, err := encode(r)
		if err != nil {
			return err
		}
		b.environments = append(b.environments, environmentRow{Record: r, facets: facets(r), words: store.SearchText(r.Outputs), data: data})
	}
	if err := b.addResources(in.Changes.Resources); err != nil {
		return err
	}
	for _, r := range in.Changes.Operations {
		data, err := encode(r)
		if err != nil {
			return err
		}
		b.operations = append(b.operations, r.ID, r.Environment, r.StartedAt.UnixMicro(), data)
	}
	return nil
}

// addResources takes the last record of each resource; what it stood at in between nobody will ever see.
func (b *batch) addResources(in []environment.ResourceRecord) error {
	type key struct{ environment, address string }
	last := make(map[key]int, len(in))
	for i, r := range in {
		last[key{r.Environment, r.Address}] = i
	}
	b.resources = make([]resourceRow, 0, len(last))
	for i, r := range in {
		if last[key{r.Environment, r.Address}] != i {
			continue
		}
		data, err := encode(r)
		if err != nil {
			return err
		}
		row := resourceRow{environment: r.Environment, address: r.Address, depends: r.DependsOn, consumes: r.Consumes,
			createdBy: r.CreatedBy, words: store.SearchText(r.Outputs), data: data}
		row.hash = row.fingerprint(r.Description)
		b.resources = append(b.resources, row)
	}
	return nil
}

func (b *batch) addRest(in store.Batch) error {
	for _, s := range in.Snapshots {
		b.snapshots = append(b.snapshots, int64(s.Partition), s.Environment, int64(s.Seq&maxSeq), blob(s.Data))
	}
	for _, t := range in.Templates {
		data, err := encode(t)
		if err != nil {
			return err
		}
		b.templates = append(b.templates, t.Hash, data, blob(t.Archive))
	}
	return nil
}

// facets fingerprints what the tables of tags, templates and search hold of an environment, and when it was made.
func facets(r environment.Record) int64 {
	parts := append([]string{r.CreatedAt.UTC().Format(time.RFC3339Nano), r.Description, "tags"}, r.Tags...)
	parts = append(parts, "templates")
	for _, t := range r.Templates {
		parts = append(parts, t.Name, t.Version, t.Hash, t.Commit)
	}
	return hash(append(parts, "outputs", store.SearchText(r.Outputs))...)
}

// fingerprint of what the other columns, edges and the search hold of a resource; it does not depend on the order of edges.
func (r *resourceRow) fingerprint(description string) int64 {
	parts := append([]string{description, r.createdBy, r.words}, slices.Sorted(slices.Values(r.depends))...)
	for _, c := range r.consumes {
		parts = append(parts, "consumes", c.Environment, c.Output)
		parts = append(parts, c.Resources...)
	}
	return hash(parts...)
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

// nanoseconds since 1970, NULL for the zero time. The range ends in the years 1678 and 2262.
func nanoseconds(t time.Time) (driver.Value, error) {
	if t.IsZero() {
		return nil, nil //nolint:nilnil // nil is NULL
	}
	if t.Year() < 1679 || t.Year() > 2261 {
		return nil, fault.New(fault.GiveUp, fault.Invalid, "the time %s can't be stored", t.Format(time.RFC3339))
	}
	return t.UnixNano(), nil
}

// blob keeps nil from being bound as NULL.
func blob(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}
