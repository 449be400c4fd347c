package sqlite

import (
	"context"
	"errors"

	engine "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// Codes of this driver's own.
const (
	// Corrupt: the file is damaged, or no database of ours.
	Corrupt fault.Code = "store-corrupt"
	// NewerSchema: a newer build wrote the file.
	NewerSchema fault.Code = "store-newer"
	// Full: there is no space left for the file.
	Full fault.Code = "store-full"
)

// errClosed is what every call gets after Close.
var errClosed = fault.New(fault.GiveUp, fault.Unavailable, "the store is closed")

// primary is SQLite's primary result code behind err, 0 if there is none.
func primary(err error) int {
	var e *engine.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// asFault gives what SQLite says a code, a message for users and a disposition. Errors that already have a meaning
// for callers are left alone.
func (s *Store) asFault(err error) error {
	var known *fault.Error
	if err == nil || errors.As(err, &known) || isPort(err) {
		return err
	}
	if busyCode(err) {
		return fault.Wrap(err, fault.Retry, fault.Unavailable, "another process keeps the store %s locked", s.path)
	}
	switch primary(err) {
	case lib.SQLITE_FULL:
		return fault.Wrap(err, fault.Wait, Full, "there is no space left for the store %s; free some", s.path)
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return fault.Wrap(err, fault.GiveUp, Corrupt,
			"the store %s is damaged or not a database; restore it from a backup, or move it away to begin anew", s.path)
	case lib.SQLITE_CANTOPEN, lib.SQLITE_READONLY, lib.SQLITE_PERM, lib.SQLITE_AUTH:
		return fault.Wrap(err, fault.Wait, fault.Unavailable,
			"the store %s can't be opened for writing; see to it that its folder exists and may be written to", s.path)
	case lib.SQLITE_IOERR:
		return fault.Wrap(err, fault.Wait, fault.Unavailable, "the disk under the store %s reports an error", s.path)
	default:
		return fault.Wrap(err, fault.Retry, fault.Internal, "the store %s can't do that; the server's log has the details", s.path)
	}
}

// isPort tells the errors that the port or the caller's context defines.
func isPort(err error) bool {
	for _, target := range []error{store.ErrConflict, store.ErrStaleEpoch, store.ErrNotFound, store.ErrCursor,
		context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// ownFault tells whether an error in the middle of a transaction concerns only the statement that met it, so that
// the transaction can go on without it. After any other (disk full, I/O, corruption) SQLite may have rolled back.
func ownFault(err error) bool {
	switch primary(err) {
	case 0, lib.SQLITE_CONSTRAINT, lib.SQLITE_TOOBIG, lib.SQLITE_MISMATCH, lib.SQLITE_RANGE, lib.SQLITE_ERROR:
		return true
	default:
		return false
	}
}

func busyCode(err error) bool {
	code := primary(err)
	return code == lib.SQLITE_BUSY || code == lib.SQLITE_LOCKED
}
