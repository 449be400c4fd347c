package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	engine "modernc.org/sqlite"
)

// conn is one connection of the driver with its prepared statements. It is used by one goroutine at a time and
// spares the locks and the copying of database/sql, which the writer has no use for.
type conn struct {
	raw   driver.Conn
	stmts map[string]driver.Stmt
	args  []driver.NamedValue
}

// dsn makes the driver's name of a file. Whatever is in the path is escaped, so that it stays a path.
func dsn(path string, busy time.Duration, pragmas ...string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	query := url.Values{}
	query.Add("_pragma", "busy_timeout="+strconv.FormatInt(busy.Milliseconds(), 10))
	for _, p := range pragmas {
		query.Add("_pragma", p)
	}
	return "file:" + (&url.URL{Path: absolute}).EscapedPath() + "?" + query.Encode(), nil
}

func openConn(name string) (*conn, error) {
	raw, err := new(engine.Driver).Open(name)
	if err != nil {
		return nil, err
	}
	return &conn{raw: raw, stmts: map[string]driver.Stmt{}}, nil
}

// prepared gives the statement of a constant text, prepared once for the connection's life.
func (c *conn) prepared(text string) (driver.Stmt, error) {
	if s, ok := c.stmts[text]; ok {
		return s, nil
	}
	s, err := c.raw.Prepare(text)
	if err == nil {
		c.stmts[text] = s
	}
	return s, err
}

func (c *conn) bind(values []driver.Value) []driver.NamedValue {
	c.args = c.args[:0]
	for i, v := range values {
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return c.args
}

// exec runs a statement and tells how many rows it changed.
func (c *conn) exec(text string, values ...driver.Value) (int64, error) {
	s, err := c.prepared(text)
	if err != nil {
		return 0, err
	}
	// The background context keeps the driver from starting a goroutine that watches for its end: a transaction
	// serves many callers and does not end with one of them.
	r, err := s.(driver.StmtExecContext).ExecContext(context.Background(), c.bind(values))
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// query calls each for every row; the slice is reused between calls.
func (c *conn) query(each func(row []driver.Value) error, text string, values ...driver.Value) (err error) {
	s, err := c.prepared(text)
	if err != nil {
		return err
	}
	rows, err := s.(driver.StmtQueryContext).QueryContext(context.Background(), c.bind(values))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	row := make([]driver.Value, len(rows.Columns()))
	for {
		if err := rows.Next(row); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := each(row); err != nil {
			return err
		}
	}
}

// integer is the first column of the first row; found is false when there is none.
func (c *conn) integer(text string, values ...driver.Value) (value int64, found bool, err error) {
	err = c.query(func(row []driver.Value) error {
		if !found {
			value, _ = row[0].(int64)
			found = true
		}
		return nil
	}, text, values...)
	return value, found, err
}

// script runs statements that are needed once.
func (c *conn) script(text string) error {
	_, err := c.raw.(driver.ExecerContext).ExecContext(context.Background(), text, nil)
	return err
}

func (c *conn) close() error {
	var all error
	for _, s := range c.stmts {
		all = errors.Join(all, s.Close())
	}
	return errors.Join(all, c.raw.Close())
}
