package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/history"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// Difference is something that the projection said otherwise than the journal.
type Difference struct {
	Environment string `json:"environment"`
	// What is "environment", "resource ADDRESS", "operation ID" or "edges of ADDRESS".
	What string `json:"what"`
	// How is "missing", "changed", or "unknown" for what the journal does not tell of.
	How string `json:"how"`
}

// Rebuilt is what a rebuild came to.
type Rebuilt struct {
	Environments int          `json:"environments"`
	Resources    int          `json:"resources"`
	Operations   int          `json:"operations"`
	Differences  []Difference `json:"differences"`
	// Repaired are the environments that were written anew.
	Repaired int `json:"repaired"`
}

type rebuild struct {
	in    store.Store
	epoch uint64
	found Rebuilt
	known map[string]bool
	fold  *history.Fold
}

// Rebuild folds the journal of every partition, and writes the projection of those environments anew in which it was another.
// Revisions, and times of resources, are not compared, since earlier versions wrote those of the batch. States,
// journal, templates and log lines stay as they are. With look it writes nothing. No server may use the store meanwhile.
func Rebuild(ctx context.Context, in store.Store, partitions int, look bool, progress Progress) (Rebuilt, error) {
	x := &rebuild{in: in, known: map[string]bool{}, found: Rebuilt{Differences: []Difference{}}}
	if err := within(ctx, in, partitions); err != nil {
		return x.found, err
	}
	var err error
	if x.epoch, err = in.Epoch(ctx); err != nil {
		return x.found, err
	}
	for p := range partitions {
		if err := x.partition(ctx, p, look); err != nil {
			return x.found, err
		}
		progress.tell(p, Counts{})
	}
	return x.found, x.unknown(ctx)
}

func (x *rebuild) partition(ctx context.Context, p int, look bool) error {
	x.fold = history.NewFold()
	if err := x.fold.Read(ctx, x.in, p); err != nil {
		return err
	}
	return x.fold.Changes(func(c environment.Changes) error {
		name := c.Environments[0].Name
		x.known[name] = true
		x.found.Environments++
		x.found.Resources += len(c.Resources)
		x.found.Operations += len(c.Operations)
		differences, err := x.compare(ctx, c)
		if err != nil || len(differences) == 0 {
			return err
		}
		x.found.Differences = append(x.found.Differences, differences...)
		if look {
			return nil
		}
		x.found.Repaired++
		return x.write(ctx, p, c)
	})
}

// write puts an environment's records in the place of what is there, in one transaction. The states that go with it are
// written back.
func (x *rebuild) write(ctx context.Context, p int, c environment.Changes) error {
	b := store.Batch{Partition: p, Epoch: x.epoch, Changes: c}
	for _, s := range x.fold.States() {
		if s.Environment != c.Environments[0].Name {
			continue
		}
		found, err := x.in.State(ctx, s.Environment, s.Step)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		b.States = append(b.States, found)
	}
	return x.in.Append(ctx, b)
}

// unknown finds environments that are in no partition's journal. They are left to people.
func (x *rebuild) unknown(ctx context.Context) error {
	f := store.Filter{Page: store.Page{Limit: page}}
	for {
		records, next, err := x.in.Environments(ctx, f)
		if err != nil {
			return err
		}
		for _, r := range records {
			if !x.known[r.Name] {
				x.found.Differences = append(x.found.Differences, Difference{r.Name, "environment", "unknown"})
			}
		}
		if f.Cursor = next; next == "" {
			return nil
		}
	}
}

func (x *rebuild) compare(ctx context.Context, c environment.Changes) ([]Difference, error) {
	name := c.Environments[0].Name
	kept, want := map[string]string{}, map[string]string{}
	if err := x.read(ctx, name, kept); err != nil {
		return nil, err
	}
	want["environment"] = plainEnvironment(c.Environments[0])
	for _, r := range c.Resources {
		want["resource "+r.Address] = plainResource(r)
		if e := edgesOf(r); len(e) > 0 {
			want["edges of "+r.Address] = strings.Join(e, "\n")
		}
	}
	for _, o := range c.Operations {
		want["operation "+o.ID] = plainOperation(o)
	}
	return differences(name, kept, want), nil
}

func differences(name string, kept, want map[string]string) (found []Difference) {
	for what, text := range want {
		if is, there := kept[what]; !there {
			found = append(found, Difference{name, what, "missing"})
		} else if is != text {
			found = append(found, Difference{name, what, "changed"})
		}
	}
	for what := range kept {
		if _, there := want[what]; !there {
			found = append(found, Difference{name, what, "unknown"})
		}
	}
	slices.SortFunc(found, func(a, b Difference) int { return strings.Compare(a.What, b.What) })
	return found
}

// read finds what the projection has of an environment.
func (x *rebuild) read(ctx context.Context, name string, kept map[string]string) error {
	r, err := x.in.Environment(ctx, name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err == nil {
		kept["environment"] = plainEnvironment(r)
	}
	resources, _, err := x.in.Resources(ctx, name, store.Page{Limit: -1})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	for _, r := range resources {
		kept["resource "+r.Address] = plainResource(r)
		if err := x.edges(ctx, r, kept); err != nil {
			return err
		}
	}
	return x.operations(ctx, name, kept)
}

func (x *rebuild) edges(ctx context.Context, r environment.ResourceRecord, kept map[string]string) error {
	reach, err := x.in.Walk(ctx, store.Walk{From: store.Ref{Environment: r.Environment, Address: r.Address}, Direction: store.Dependencies, Depth: 1})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	var found []string
	for _, e := range reach.Edges {
		found = append(found, edgeText(e))
	}
	if len(found) > 0 {
		slices.Sort(found)
		kept["edges of "+r.Address] = strings.Join(slices.Compact(found), "\n")
	}
	return nil
}

func (x *rebuild) operations(ctx context.Context, name string, kept map[string]string) error {
	p := store.Page{Limit: page}
	for {
		found, next, err := x.in.Operations(ctx, name, p)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, o := range found {
			kept["operation "+o.ID] = plainOperation(o)
		}
		if p.Cursor = next; next == "" {
			return nil
		}
	}
}

func edgeText(e store.Edge) string {
	return fmt.Sprintf("%s %q %q %q", e.Kind, e.To.Environment, e.To.Address, e.Output)
}

// edgesOf are the edges that a record stands for.
func edgesOf(r environment.ResourceRecord) (all []string) {
	from := store.Ref{Environment: r.Environment, Address: r.Address}
	for _, to := range r.DependsOn {
		all = append(all, edgeText(store.Edge{From: from, To: store.Ref{Environment: r.Environment, Address: to}, Kind: store.DependsOn}))
	}
	for _, c := range r.Consumes {
		targets := c.Resources
		if len(targets) == 0 {
			targets = []string{""}
		}
		for _, to := range targets {
			all = append(all, edgeText(store.Edge{From: from, To: store.Ref{Environment: c.Environment, Address: to}, Kind: store.Consumes, Output: c.Output}))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func plainEnvironment(r environment.Record) string {
	r.Revision = 0
	return text(r)
}

func plainResource(r environment.ResourceRecord) string {
	r.Revision, r.UpdatedAt = 0, time.Time{}
	return text(r)
}

func plainOperation(o environment.OperationRecord) string {
	o.Revision = 0
	return text(o)
}

// text of a record. Marshalling takes out the spaces that a driver may have kept.
func text(record any) string {
	data, err := json.Marshal(record)
	if err != nil {
		return err.Error()
	}
	return string(data)
}
