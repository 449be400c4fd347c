package arango

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/arangodb/go-driver/v2/arangodb/shared"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// Codes of this driver's own.
const (
	// Denied: the credentials are refused, or may not do what the store needs.
	Denied fault.Code = "store-denied"
	// NewerSchema: a newer build made the database.
	NewerSchema fault.Code = "store-newer"
	// Full: the server's disk is full.
	Full fault.Code = "store-full"
)

// errClosed is what every call gets after Close.
var errClosed = fault.New(fault.GiveUp, fault.Unavailable, "the store is closed")

// Numbers of ArangoDB's errors, as its documentation lists them.
const (
	lockTimeout     = 18   // a lock could not be had in time
	conflict        = 1200 // another transaction writes the same document
	unique          = 1210 // a key or a unique index is taken
	diskFull        = 1104
	queueFull       = 21003 // the server has too much to do
	transactionLost = 1655  // a stream transaction that the server no longer knows
	aborted         = 1652
	shuttingDown    = 30
	connectionLost  = 1465
	backendAway     = 1478
	leaderResigned  = 1491
	challenge       = 1495 // leadership is being decided
	notLeader       = 1496
	clusterTimeout  = 1457
)

// arango is the server's error in a chain, false when it is another's.
func arango(err error) (shared.ArangoError, bool) {
	var e shared.ArangoError
	ok := errors.As(err, &e)
	return e, ok
}

func hasNumber(err error, numbers ...int) bool {
	e, ok := arango(err)
	return ok && slices.Contains(numbers, e.ErrorNum)
}

// away tells whether the endpoint is to blame: it can't be reached, shuts down, or is not the one who leads.
func away(err error) bool {
	e, ok := arango(err)
	if !ok {
		var unreached *url.Error
		return errors.As(err, &unreached) && !errors.Is(err, errLogin)
	}
	return e.Code == http.StatusServiceUnavailable ||
		hasNumber(err, shuttingDown, connectionLost, backendAway, leaderResigned, challenge, notLeader, clusterTimeout)
}

// again tells whether the whole operation may succeed if it is tried anew.
func again(err error) bool {
	return away(err) || hasNumber(err, conflict, lockTimeout, queueFull, transactionLost, aborted)
}

// asFault gives what ArangoDB says a code, a message for users and a disposition. Errors that already have a meaning for
// callers are left alone.
func (s *Store) asFault(err error) error {
	var known *fault.Error
	if err == nil || errors.As(err, &known) || isPort(err) {
		return err
	}
	where := s.address()
	e, answered := arango(err)
	switch {
	case errors.Is(err, errLogin), answered && (e.Code == http.StatusUnauthorized || e.Code == http.StatusForbidden):
		return fault.Wrap(err, fault.GiveUp, Denied, "ArangoDB at %s refuses the user, or denies the user the database; "+
			"see to it that the user may write to it", where)
	case hasNumber(err, diskFull):
		return fault.Wrap(err, fault.Wait, Full, "the disk of ArangoDB at %s is full; free some space", where)
	case hasNumber(err, conflict, lockTimeout):
		return fault.Wrap(err, fault.Retry, fault.Unavailable, "others write to ArangoDB at %s all the time", where)
	case away(err):
		return fault.Wrap(err, fault.Retry, fault.Unavailable, "ArangoDB can't be reached at %s; is it running?", where)
	default:
		return fault.Wrap(err, fault.Retry, fault.Internal, "ArangoDB at %s can't do that; the server's log has the details", where)
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
