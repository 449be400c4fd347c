package arango

import (
	"context"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// Lineage joins a resource with its environment and the operation that made it, all by their keys.
func (s *Store) Lineage(ctx context.Context, of store.Ref) (l store.Lineage, err error) {
	row, found, err := askOne[struct {
		Resource    string `json:"resource"`
		Environment string `json:"environment"`
		Operation   string `json:"operation"`
	}](ctx, s, "lineage", binds{"key": keyOf(of.Environment, of.Address)})
	if err == nil && !found {
		err = store.ErrNotFound
	}
	if err != nil {
		return l, err
	}
	if err := s.decode(row.Resource, &l.Resource); err != nil {
		return l, err
	}
	if err := s.decode(row.Environment, &l.Environment); err != nil {
		return l, err
	}
	if row.Operation != "" {
		l.Operation = &environment.OperationRecord{}
		if err := s.decode(row.Operation, l.Operation); err != nil {
			return l, err
		}
	}
	for _, t := range l.Environment.Templates {
		if t.Name == l.Resource.Template {
			l.Template = t
		}
	}
	return l, nil
}

func checkOrigin(o store.Origin) error {
	if o == (store.Origin{Page: o.Page}) {
		return fault.New(fault.Reject, fault.Invalid, "an origin says nothing; give a template, a commit, an operation or who asked")
	}
	if o.Commit != "" && len(o.Commit) < shortCommit {
		return fault.New(fault.Reject, fault.Invalid, "a commit is given by at least seven characters")
	}
	return nil
}

func listed(kind string, o store.Origin) []string {
	return []string{kind, o.Template, o.Version, o.Commit, o.Environment, o.Operation, o.RequestedBy}
}

// use is a row of the queries of usage.
type use struct {
	Environment string               `json:"environment"`
	Home        string               `json:"home"`
	Status      environment.Status   `json:"status"`
	Template    environment.Template `json:"template"`
	Place       string               `json:"place"`
}

// uses asks by the index that fits best.
func (s *Store) uses(ctx context.Context, o store.Origin, after string, limit int) ([]use, error) {
	b := binds{"name": o.Template, "version": o.Version, "commit": o.Commit, "after": after, "limit": limit}
	query := "usage_by_version"
	switch {
	case o.Template != "":
		query, b["first"] = "usage_by_template", keyOf(o.Template)
	case o.Commit != "":
		query, b["first"] = "usage_by_commit", short(o.Commit)
	default:
		b["first"] = keyOf(o.Version)
	}
	return ask[use](ctx, s, query, b)
}

// Usage lists the environments of a template.
func (s *Store) Usage(ctx context.Context, o store.Origin) ([]store.Use, string, error) {
	o = store.Origin{Template: o.Template, Version: o.Version, Commit: o.Commit, Page: o.Page}
	if err := checkOrigin(o); err != nil {
		return nil, "", err
	}
	after, names := "", listed("usage", o)
	if err := s.key.Read(names, o.Cursor, &after); err != nil {
		return nil, "", err
	}
	limit := pageLimit(o.Page)
	rows, err := s.uses(ctx, o, after, limit+1)
	if err != nil {
		return nil, "", err
	}
	var found []store.Use
	for _, r := range rows[:min(len(rows), limit)] {
		found = append(found, store.Use{Environment: r.Environment, Status: r.Status, Template: r.Template})
	}
	if len(rows) <= limit {
		return found, "", nil
	}
	cursor, err := s.key.Make(names, rows[limit-1].Place)
	return found, cursor, err
}

// source says where the query made looks: an environment, and what of it.
type source struct {
	Home      string `json:"home"`
	Operation string `json:"operation"`
	Template  string `json:"template"`
}

// Made lists the resources of an origin: first the environments and operations that it is about, then what is in them.
func (s *Store) Made(ctx context.Context, o store.Origin) ([]store.Ref, string, error) {
	if err := checkOrigin(o); err != nil {
		return nil, "", err
	}
	after, names := "", listed("made", o)
	if err := s.key.Read(names, o.Cursor, &after); err != nil {
		return nil, "", err
	}
	sources, err := s.sources(ctx, o)
	if err != nil || len(sources) == 0 {
		return nil, "", err
	}
	limit := pageLimit(o.Page)
	rows, err := ask[struct {
		store.Ref
		Place string `json:"place"`
	}](ctx, s, "made", binds{"sources": sources, "after": after, "limit": limit + 1})
	if err != nil {
		return nil, "", err
	}
	var found []store.Ref
	for _, r := range rows[:min(len(rows), limit)] {
		found = append(found, r.Ref)
	}
	if len(rows) <= limit {
		return found, "", nil
	}
	cursor, err := s.key.Make(names, rows[limit-1].Place)
	return found, cursor, err
}

// sources narrows down by one after the other of what is given.
func (s *Store) sources(ctx context.Context, o store.Origin) ([]source, error) {
	var sets [][]source
	if o.Template+o.Version+o.Commit != "" {
		rows, err := s.uses(ctx, o, "", 1<<30)
		if err != nil {
			return nil, err
		}
		var set []source
		for _, r := range rows {
			set = append(set, source{Home: r.Home, Template: r.Template.Name})
		}
		sets = append(sets, set)
	}
	if o.RequestedBy != "" {
		set, err := ask[source](ctx, s, "operations_by_asker", binds{"key": keyOf(o.RequestedBy)})
		if err != nil {
			return nil, err
		}
		sets = append(sets, set)
	}
	if o.Environment != "" {
		sets = append(sets, []source{{Home: keyOf(o.Environment), Operation: o.Operation}})
	} else if o.Operation != "" {
		set, err := ask[source](ctx, s, "operations_by_id", binds{"key": placeOf(o.Operation)})
		if err != nil {
			return nil, err
		}
		sets = append(sets, set)
	}
	all := sets[0]
	for _, set := range sets[1:] {
		all = common(all, set)
	}
	return all, nil
}

// common are the sources that two sets have in common. What one leaves open the other may say.
func common(a, b []source) []source {
	var both []source
	seen := map[source]bool{}
	homes := map[string][]source{}
	for _, y := range b {
		homes[y.Home] = append(homes[y.Home], y)
	}
	for _, x := range a {
		for _, y := range homes[x.Home] {
			operation, same := agreed(x.Operation, y.Operation)
			template, alike := agreed(x.Template, y.Template)
			c := source{Home: x.Home, Operation: operation, Template: template}
			if same && alike && !seen[c] {
				seen[c], both = true, append(both, c)
			}
		}
	}
	return both
}

func agreed(a, b string) (string, bool) {
	switch {
	case a == "":
		return b, true
	case b == "" || a == b:
		return a, true
	}
	return "", false
}
