package sqlite

import (
	"database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the schema up to what this build knows, in one transaction, so that two processes that open a new
// file at once do it one after the other.
func migrate(c *conn, path string) error {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	// A store that is up to date is opened without a lock, for which one would wait long beside a server that writes much.
	if version, err := schemaVersion(c, path); err != nil || version == len(files) {
		return err
	}
	if err := c.script("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if err := migrateTo(c, path, files); err != nil {
		return errors.Join(err, c.script("ROLLBACK"))
	}
	return c.script("COMMIT")
}

func migrateTo(c *conn, path string, files []string) error {
	version, err := schemaVersion(c, path)
	if err != nil {
		return err
	}
	if version > len(files) {
		return fault.New(fault.GiveUp, NewerSchema,
			"the store %s has schema %d, this build knows up to %d; use the build that wrote it, or a newer one",
			path, version, len(files))
	}
	if err := c.script("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL) STRICT"); err != nil {
		return err
	}
	for n := version; n < len(files); n++ {
		text, err := migrations.ReadFile(files[n])
		if err != nil {
			return err
		}
		if err := c.script(string(text)); err != nil {
			return fmt.Errorf("migration %s: %w", files[n], err)
		}
		if _, err := c.exec("INSERT INTO schema_version VALUES (?, ?)", int64(n+1), time.Now().UTC().Format(time.RFC3339)); err != nil {
			return err
		}
	}
	return nil
}

// schemaVersion is 0 for an empty file. A database of something else is refused, before anything is written to it.
func schemaVersion(c *conn, path string) (int, error) {
	var tables []string
	err := c.query(func(row []driver.Value) error {
		tables = append(tables, row[0].(string))
		return nil
	}, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name = 'schema_version' DESC")
	if err != nil {
		return 0, err
	}
	if len(tables) > 0 && tables[0] != "schema_version" {
		return 0, fault.New(fault.GiveUp, Corrupt,
			"%s is a SQLite database, but not a store of Vivarium; choose another file", path)
	}
	if len(tables) == 0 {
		return 0, nil
	}
	version, _, err := c.integer("SELECT coalesce(max(version), 0) FROM schema_version")
	return int(version), err
}
