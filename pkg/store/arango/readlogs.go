package arango

import (
	"slices"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// chunk is lines of an attempt that arrived together; the id is that of the first, the others count on.
type chunk struct {
	ID        uint64 `json:"id"`
	Operation string `json:"operation"`
	Step      string `json:"step"`
	Attempt   int    `json:"attempt"`
	First     int    `json:"first"`
	Data      string `json:"data"`
}

// expand takes the lines of chunks that come after an ID, up to the limit; the last ones when the newest are wanted.
func (s *Store) expand(chunks []chunk, q store.LogSelection) ([]store.LogRecord, error) {
	var found []store.LogRecord
	for _, c := range chunks {
		var lines []event.LogLine
		if err := s.decode(c.Data, &lines); err != nil {
			return nil, err
		}
		of := make([]store.LogRecord, len(lines))
		for i, line := range lines {
			of[i] = store.LogRecord{ID: c.ID + uint64(i), Operation: c.Operation, Step: c.Step, Attempt: c.Attempt, //nolint:gosec // an index
				Number: c.First + i, LogLine: line}
		}
		if q.Newest {
			slices.Reverse(of)
		}
		for _, r := range of {
			if r.ID > q.After && len(found) < q.Limit {
				found = append(found, r)
			}
		}
	}
	if q.Newest {
		slices.Reverse(found)
	}
	return found, nil
}
