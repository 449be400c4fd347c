package sqlite

import (
	"sync"

	"github.com/vivarium-env/vivarium/pkg/environment"
)

// mostRecords is how many environments are remembered.
const mostRecords = 10_000

// records remembers environments as they are in the file, where nobody else writes it: the writer forgets what a transaction changes
// before any caller hears that it was written, so nobody reads what was before.
type records struct {
	mu      sync.Mutex
	written uint64 // transactions that changed environments
	known   map[string]environment.Record
}

// get is an environment that is remembered. Without, before is what put wants to know.
func (r *records) get(name string) (record environment.Record, ok bool, before uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	record, ok = r.known[name]
	return record, ok, r.written
}

// put remembers what was read, unless something was written since: it may be older than that.
func (r *records) put(record environment.Record, before uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.written != before {
		return
	}
	if r.known == nil {
		r.known = map[string]environment.Record{}
	}
	for name := range r.known {
		if len(r.known) < mostRecords {
			break
		}
		delete(r.known, name) // any will do
	}
	r.known[record.Name] = record
}

// forget what a transaction has changed.
func (r *records) forget(names []string) {
	if len(names) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.written++
	for _, name := range names {
		delete(r.known, name)
	}
}
