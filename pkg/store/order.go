package store

import (
	"time"

	"github.com/vivarium-env/vivarium/pkg/environment"
)

// Order is what a list of environments is sorted by.
type Order string

// Orders of environments; those that are alike are in the order of their names.
const (
	ByName      Order = "name"
	ByStatus    Order = "status"
	ByCreatedAt Order = "created_at"
	ByUpdatedAt Order = "updated_at"
)

// Orders are all of them.
func Orders() []Order { return []Order{ByName, ByStatus, ByCreatedAt, ByUpdatedAt} }

// Sort of a list of environments. The zero value is by name. A cursor stays right while data changes for all records whose sorted value
// stays: each of them is listed once. One whose value changes meanwhile, as updated_at does, may move from where the list has not been
// yet to where it has been, or back.
type Sort struct {
	By         Order
	Descending bool
}

// Texts name the order, for cursors.
func (s Sort) Texts() []string {
	if s.By == "" {
		s.By = ByName
	}
	if s.Descending {
		return []string{"sort", string(s.By), "descending"}
	}
	return []string{"sort", string(s.By), "ascending"}
}

// HealthOf is the health that environments are filtered by, empty where nothing is watched.
func HealthOf(r environment.Record) string {
	if r.Health == nil {
		return ""
	}
	return r.Health.Status
}

// Microseconds since 1970, by which drivers sort; the zero time is 0.
func Microseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}
