package sqlite

import (
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"

	lib "modernc.org/sqlite/lib"

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
	return t.insert(insertOperations, b.operations)
}

// clear removes what is left of an environment's earlier life.
func (t *transaction) clear(environment string) error {
	if _, err := t.exec("DELETE FROM resources WHERE environment = ?", environment); err != nil {
		return err
	}
	_, err := t.exec("DELETE FROM edges WHERE environment = ?", environment)
	return err
}

// environment writes an environment. Nearly always only its document changes; only when not, the tables that are
// derived from it are made again.
func (t *transaction) environment(e *environmentRow) error {
	n, err := t.exec("UPDATE environments SET status = ?, data = ? WHERE name = ? AND facets = ?",
		string(e.Status), e.data, e.Name, e.facets)
	if err != nil || n > 0 {
		return err
	}
	id, _, err := t.integer(`INSERT INTO environments (name, status, facets, data) VALUES (?, ?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET status = excluded.status, facets = excluded.facets, data = excluded.data
		RETURNING id`, e.Name, string(e.Status), e.facets, e.data)
	if err != nil {
		return err
	}
	return t.derive(id, e)
}

func (t *transaction) derive(id int64, e *environmentRow) error {
	for _, text := range []string{
		"DELETE FROM environment_tags WHERE environment = ?",
		"DELETE FROM environment_templates WHERE environment = ?",
		"DELETE FROM environment_search WHERE rowid = ?",
	} {
		if _, err := t.exec(text, id); err != nil {
			return err
		}
	}
	var tags, uses rows
	for _, tag := range e.Tags {
		tags = append(tags, tag, id)
	}
	for _, used := range e.Templates {
		uses = append(uses, used.Name, used.Version, id)
	}
	if err := t.insert(insertTags, tags); err != nil {
		return err
	}
	if err := t.insert(insertUses, uses); err != nil {
		return err
	}
	_, err := t.exec("INSERT INTO environment_search (rowid, name, description, tags) VALUES (?, ?, ?, ?)",
		id, e.Name, e.Description, strings.Join(e.Tags, " "))
	return err
}

// resources of a new environment are inserted several at a time. The others are there already and mostly keep their
// edges: a single UPDATE then does.
func (t *transaction) resources(b *batch) error {
	var fresh, edges rows
	for i := range b.resources {
		r := &b.resources[i]
		if slices.Contains(b.created, r.environment) {
			fresh = append(fresh, r.environment, r.address, r.hash, r.data)
			edges = r.edges(edges)
			continue
		}
		if err := t.resource(r); err != nil {
			return err
		}
	}
	if err := t.insert(insertResources, fresh); err != nil {
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
	if err := t.insert(insertResources, rows{r.environment, r.address, r.hash, r.data}); err != nil {
		return err
	}
	if _, err := t.exec("DELETE FROM edges WHERE environment = ? AND source = ?", r.environment, r.address); err != nil {
		return err
	}
	return t.insert(insertEdges, r.edges(nil))
}

func (r *resourceRow) edges(to []driver.Value) []driver.Value {
	for _, target := range r.depends {
		to = append(to, r.environment, r.address, target)
	}
	return to
}
