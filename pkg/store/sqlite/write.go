package sqlite

import (
	"database/sql/driver"
	"strings"
)

// rows are the values of several rows, one behind the other.
type rows []driver.Value

// manyRows is how many rows go into one statement where there are enough. More make a statement dearer to bind
// without making its rows cheaper.
const manyRows = 16

// insert is an INSERT for one row and for manyRows of them.
type insert struct {
	columns   int
	one, many string
}

// newInsert makes both texts; head ends before VALUES, tail follows the rows.
func newInsert(columns int, head, tail string) insert {
	row := "(" + strings.TrimSuffix(strings.Repeat("?,", columns), ",") + ")"
	text := func(n int) string {
		return head + " VALUES " + strings.TrimSuffix(strings.Repeat(row+",", n), ",") + " " + tail
	}
	return insert{columns: columns, one: text(1), many: text(manyRows)}
}

// insert writes all rows.
func (t *transaction) insert(i insert, values rows) error {
	for len(values) > 0 {
		text, n := i.one, i.columns
		if len(values) >= manyRows*i.columns {
			text, n = i.many, manyRows*i.columns
		}
		if _, err := t.exec(text, values[:n]...); err != nil {
			return err
		}
		values = values[n:]
	}
	return nil
}

// entryFields are the columns of an entry behind the one that has its partition and seq in it.
const (
	entryFields  = "environment, seq, type, time, epoch, operation, causation, traceparent, data, chain"
	entryColumns = 11
)

var (
	insertEntries   = newInsert(entryColumns, "INSERT INTO entries (id, "+entryFields+")", "")
	insertSnapshots = newInsert(4, `INSERT INTO snapshots (partition, environment, seq, data)`,
		`ON CONFLICT (partition, environment) DO UPDATE SET seq = excluded.seq, data = excluded.data
		WHERE excluded.seq >= snapshots.seq`)
	insertTemplates  = newInsert(3, `INSERT INTO templates (hash, data, archive)`, `ON CONFLICT (hash) DO NOTHING`)
	insertOperations = newInsert(4, `INSERT INTO operations (id, environment, started, data)`,
		`ON CONFLICT (environment, id) DO UPDATE SET started = excluded.started, data = excluded.data`)
	insertResources = newInsert(6, `INSERT INTO resources (environment, address, depends, created_by, words, data)`,
		`ON CONFLICT (environment, address) DO UPDATE SET depends = excluded.depends, created_by = excluded.created_by,
		words = excluded.words, data = excluded.data`)
	insertConsumes  = newInsert(5, `INSERT INTO consumes (environment, source, target_environment, target, output)`, `ON CONFLICT DO NOTHING`)
	insertEdges     = newInsert(3, `INSERT INTO edges (environment, source, target)`, `ON CONFLICT DO NOTHING`)
	insertTags      = newInsert(2, `INSERT INTO environment_tags (tag, environment)`, `ON CONFLICT DO NOTHING`)
	insertUses      = newInsert(5, `INSERT INTO environment_templates (name, version, environment, hash, revision)`, `ON CONFLICT DO NOTHING`)
	insertLogChunks = newInsert(7, `INSERT INTO log_chunks (id, environment, step, attempt, first, lines, data)`, "")
)

// write does the whole batch. What fences (epoch, head) comes first, so that a refused batch costs little.
func (b *batch) write(t *transaction) error {
	if err := t.enter(b.epoch); err != nil {
		return err
	}
	if b.count > 0 {
		if err := t.advance(b.partition, b.first, b.count); err != nil {
			return err
		}
		t.journal = true
	}
	if err := t.insert(insertEntries, b.entries); err != nil {
		return conflicting(err)
	}
	if err := t.projection(b); err != nil {
		return err
	}
	if err := t.insert(insertSnapshots, b.snapshots); err != nil {
		return err
	}
	if err := t.insert(insertTemplates, b.templates); err != nil {
		return err
	}
	if err := t.states(b.states); err != nil {
		return err
	}
	for _, r := range b.removed { // behind what was saved on the way to its end
		if _, err := t.exec("DELETE FROM step_states WHERE environment = ? AND step = ?", r.Environment, r.State); err != nil {
			return err
		}
	}
	return nil
}
