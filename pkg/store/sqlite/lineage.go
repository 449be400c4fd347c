package sqlite

import (
	"context"
	"database/sql"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// Lineage joins a resource with its environment and the operation that made it, all by their keys.
func (s *Store) Lineage(ctx context.Context, of store.Ref) (store.Lineage, error) {
	var l store.Lineage
	found := false
	err := s.query(ctx, func(rows *sql.Rows) error {
		var resource, env, operation sql.RawBytes
		if err := rows.Scan(&resource, &env, &operation); err != nil {
			return err
		}
		found = true
		if operation != nil {
			l.Operation = &environment.OperationRecord{}
			if err := s.decode(operation, l.Operation); err != nil {
				return err
			}
		}
		if err := s.decode(resource, &l.Resource); err != nil {
			return err
		}
		return s.decode(env, &l.Environment)
	}, `SELECT r.data, e.data, o.data FROM resources r JOIN environments e ON e.name = r.environment
		LEFT JOIN operations o ON o.environment = r.environment AND o.id = r.created_by
		WHERE r.environment = ? AND r.address = ?`, of.Environment, of.Address)
	if err == nil && !found {
		err = store.ErrNotFound
	}
	for _, t := range l.Environment.Templates {
		if t.Name == l.Resource.Template {
			l.Template = t
		}
	}
	return l, err
}

// condition is a part of a WHERE with what it binds.
type conditions struct {
	texts []string
	args  []any
}

func (c *conditions) add(text string, values ...any) {
	c.texts = append(c.texts, text)
	c.args = append(c.args, values...)
}

// given adds a condition when there is a value.
func (c *conditions) given(text, value string) {
	if value != "" {
		c.add(text, value)
	}
}

func (c *conditions) String() string { return strings.Join(c.texts, " AND ") }

// template selects in environment_templates, by its primary key or by environment_templates_by_revision.
func (c *conditions) template(o store.Origin) {
	c.given("t.name = ?", o.Template)
	c.given("t.version = ?", o.Version)
	if o.Commit != "" {
		c.add("t.revision BETWEEN ? AND ? || char(1114111)", o.Commit, o.Commit)
	}
}

func checkOrigin(o store.Origin) error {
	if o == (store.Origin{Page: o.Page}) {
		return fault.New(fault.Reject, fault.Invalid, "an origin says nothing; give a template, a commit, an operation or who asked")
	}
	if o.Commit != "" && len(o.Commit) < 7 {
		return fault.New(fault.Reject, fault.Invalid, "a commit is given by at least seven characters")
	}
	return nil
}

func (o originList) names(kind string) []string {
	return []string{kind, o.Template, o.Version, o.Commit, o.Environment, o.Operation, o.RequestedBy}
}

type originList store.Origin

// Usage lists the environments of a template.
func (s *Store) Usage(ctx context.Context, o store.Origin) ([]store.Use, string, error) {
	o = store.Origin{Template: o.Template, Version: o.Version, Commit: o.Commit, Page: o.Page}
	if err := checkOrigin(o); err != nil {
		return nil, "", err
	}
	var after [3]string
	list := originList(o).names("usage")
	if err := s.resume(list, o.Cursor, &after); err != nil {
		return nil, "", err
	}
	var where conditions
	where.template(o)
	where.add("(e.name, t.name, t.version) > (?, ?, ?)", after[0], after[1], after[2])
	limit := pageLimit(o.Page)
	rows, err := s.read.QueryContext(ctx, `SELECT e.name, e.status, t.name, t.version, t.hash, t.revision FROM environment_templates t
		JOIN environments e ON e.id = t.environment WHERE `+where.String()+
		` ORDER BY e.name, t.name, t.version LIMIT ?`, append(where.args, limit+1)...)
	if err != nil {
		return nil, "", s.readError(ctx, err)
	}
	var found []store.Use
	err = s.each(ctx, rows, func(rows *sql.Rows) error {
		var u store.Use
		err := rows.Scan(&u.Environment, &u.Status, &u.Template.Name, &u.Template.Version, &u.Template.Hash, &u.Template.Commit)
		found = append(found, u)
		return err
	})
	return onePage(s, found, limit, list, err, func(u store.Use) any {
		return [3]string{u.Environment, u.Template.Name, u.Template.Version}
	})
}

// Made lists the resources of an origin. Those of a template are found by their environments, those of an operation by
// resources_by_operation, those of who asked by operations_by_asker.
func (s *Store) Made(ctx context.Context, o store.Origin) ([]store.Ref, string, error) {
	if err := checkOrigin(o); err != nil {
		return nil, "", err
	}
	var after [2]string
	list := originList(o).names("made")
	if err := s.resume(list, o.Cursor, &after); err != nil {
		return nil, "", err
	}
	var where conditions
	from := "resources r"
	if o.Template+o.Version+o.Commit != "" {
		from = `environment_templates t JOIN environments e ON e.id = t.environment
			JOIN resources r ON r.environment = e.name AND r.data ->> '$.template' = t.name`
		where.template(o)
	}
	where.given("r.environment = ?", o.Environment)
	where.given("r.created_by = ?", o.Operation)
	where.given("(r.environment, r.created_by) IN (SELECT environment, id FROM operations WHERE requested_by = ?)", o.RequestedBy)
	where.add("(r.environment, r.address) > (?, ?)", after[0], after[1])
	limit := pageLimit(o.Page)
	rows, err := s.read.QueryContext(ctx, "SELECT DISTINCT r.environment, r.address FROM "+from+" WHERE "+where.String()+
		" ORDER BY r.environment, r.address LIMIT ?", append(where.args, limit+1)...)
	if err != nil {
		return nil, "", s.readError(ctx, err)
	}
	var found []store.Ref
	err = s.each(ctx, rows, func(rows *sql.Rows) error {
		var r store.Ref
		err := rows.Scan(&r.Environment, &r.Address)
		found = append(found, r)
		return err
	})
	return onePage(s, found, limit, list, err, func(r store.Ref) any { return [2]string{r.Environment, r.Address} })
}

// onePage takes off the record that only tells that there is a next page, and makes the cursor of it.
func onePage[T any](s *Store, found []T, limit int, list []string, err error, position func(T) any) ([]T, string, error) {
	if err != nil || len(found) <= limit {
		return found, "", err
	}
	cursor, err := s.cursor(list, position(found[limit-1]))
	return found[:limit], cursor, err
}
