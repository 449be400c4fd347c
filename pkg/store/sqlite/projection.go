package sqlite

import (
	"fmt"
	"slices"
	"strings"

	lib "modernc.org/sqlite/lib"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// conflicting makes of an entry's broken key what it means.
func conflicting(err error) error {
	if primary(err) == lib.SQLITE_CONSTRAINT {
		return fmt.Errorf("%w: %w", store.ErrConflict, err)
	}
	return err
}

// projection writes the records of a batch over what is there.
func (t *transaction) projection(b *batch) error {
	for _, name := range b.created {
		if err := t.clear(name); err != nil {
			return err
		}
	}
	for i := range b.environments {
		if err := t.environment(&b.environments[i]); err != nil {
			return err
		}
	}
	if err := t.resources(b); err != nil {
		return err
	}
	for _, r := range b.removed {
		if err := t.remove(r); err != nil {
			return err
		}
	}
	return t.insert(insertOperations, b.operations)
}

func (t *transaction) remove(r environment.Removal) error {
	for _, text := range []string{
		"DELETE FROM resources WHERE environment = ? AND address = ?",
		"DELETE FROM edges WHERE environment = ? AND source = ?",
		"DELETE FROM consumes WHERE environment = ? AND source = ?",
	} {
		if _, err := t.exec(text, r.Environment, r.Address); err != nil {
			return err
		}
	}
	return nil
}

// clear removes what is left of an environment's earlier life.
func (t *transaction) clear(environment string) error {
	for _, text := range []string{
		"DELETE FROM resources WHERE environment = ?",
		"DELETE FROM edges WHERE environment = ?",
		"DELETE FROM consumes WHERE environment = ?",
	} {
		if _, err := t.exec(text, environment); err != nil {
			return err
		}
	}
	return t.state(store.StepState{Environment: environment})
}

// environment writes an environment. Nearly always only its document changes, and what is beside it for filters and sorting; only when
// not, the tables that are derived from it are made again.
func (t *transaction) environment(e *environmentRow) error {
	t.changed = append(t.changed, e.Name)
	n, err := t.exec("UPDATE environments SET status = ?, updated = ?, health = ?, drifted = ?, data = ? WHERE name = ? AND facets = ?",
		string(e.Status), store.Microseconds(e.UpdatedAt), store.HealthOf(e.Record), int64(e.Drifted), e.data, e.Name, e.facets)
	if err != nil || n > 0 {
		return err
	}
	id, _, err := t.integer(`INSERT INTO environments (name, status, created, updated, health, drifted, facets, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET status = excluded.status, created = excluded.created, updated = excluded.updated,
		health = excluded.health, drifted = excluded.drifted, facets = excluded.facets, data = excluded.data
		RETURNING id`, e.Name, string(e.Status), store.Microseconds(e.CreatedAt), store.Microseconds(e.UpdatedAt), store.HealthOf(e.Record), int64(e.Drifted),
		e.facets, e.data)
	if err != nil {
		return err
	}
	return t.derive(id, e)
}

func (t *transaction) derive(id int64, e *environmentRow) error {
	if err := t.clearDerived(id); err != nil {
		return err
	}
	var tags, uses rows
	for _, tag := range e.Tags {
		tags = append(tags, tag, id)
	}
	for _, used := range e.Templates {
		uses = append(uses, used.Name, used.Version, id, used.Hash, used.Commit)
	}
	if err := t.insert(insertTags, tags); err != nil {
		return err
	}
	if err := t.insert(insertUses, uses); err != nil {
		return err
	}
	_, err := t.exec("INSERT INTO environment_search (rowid, name, description, tags, outputs) VALUES (?, ?, ?, ?, ?)",
		id, e.Name, e.Description, strings.Join(e.Tags, " "), e.words)
	return err
}

// clearDerived empties the tables that are derived from an environment.
func (t *transaction) clearDerived(id int64) error {
	for _, text := range []string{
		"DELETE FROM environment_tags WHERE environment = ?",
		"DELETE FROM environment_templates WHERE environment = ?",
		"DELETE FROM environment_search WHERE rowid = ?",
	} {
		if _, err := t.exec(text, id); err != nil {
			return err
		}
	}
	return nil
}

// resources of a new environment are inserted several at a time. The others are there already and mostly keep their
// edges and words: a single UPDATE then does.
func (t *transaction) resources(b *batch) error {
	var fresh, edges, consumes rows
	for i := range b.resources {
		r := &b.resources[i]
		if slices.Contains(b.created, r.environment) {
			fresh = append(fresh, r.row()...)
			edges, consumes = r.edges(edges), r.consuming(consumes)
			continue
		}
		if err := t.resource(r); err != nil {
			return err
		}
	}
	if err := t.insert(insertResources, fresh); err != nil {
		return err
	}
	if err := t.insert(insertConsumes, consumes); err != nil {
		return err
	}
	return t.insert(insertEdges, edges)
}

func (t *transaction) resource(r *resourceRow) error {
	n, err := t.exec("UPDATE resources SET data = ? WHERE environment = ? AND address = ? AND depends = ?",
		r.data, r.environment, r.address, r.hash)
	if err != nil || n > 0 {
		return err
	}
	if err := t.insert(insertResources, r.row()); err != nil {
		return err
	}
	for _, text := range []string{
		"DELETE FROM edges WHERE environment = ? AND source = ?",
		"DELETE FROM consumes WHERE environment = ? AND source = ?",
	} {
		if _, err := t.exec(text, r.environment, r.address); err != nil {
			return err
		}
	}
	if err := t.insert(insertConsumes, r.consuming(nil)); err != nil {
		return err
	}
	return t.insert(insertEdges, r.edges(nil))
}

func (r *resourceRow) row() rows {
	return rows{r.environment, r.address, r.hash, r.createdBy, r.words, r.data}
}

func (r *resourceRow) edges(to rows) rows {
	for _, target := range r.depends {
		to = append(to, r.environment, r.address, target)
	}
	return to
}

// consuming has a row for each resource that an output comes from, or one for the environment as a whole.
func (r *resourceRow) consuming(to rows) rows {
	for _, c := range r.consumes {
		for _, target := range c.Targets() {
			to = append(to, r.environment, r.address, c.Environment, target, c.Output)
		}
	}
	return to
}
