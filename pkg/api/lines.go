package api

import (
	"context"
	"errors"

	"github.com/vivarium-env/vivarium/pkg/store"
)

// lines reads log lines. They are kept by the identities of steps, and are asked for and shown by the addresses that the
// nodes have today.
func (s *Server) lines(ctx context.Context, q store.LogSelection) ([]store.LogRecord, error) {
	record, err := s.options.Store.Environment(ctx, q.Environment)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	if identity, moved := record.Moved[q.Step]; moved {
		q.Step = identity
	}
	found, err := s.options.Store.ReadLogs(ctx, q)
	if err != nil || len(record.Moved) == 0 {
		return found, err
	}
	addresses := make(map[string]string, len(record.Moved))
	for address, identity := range record.Moved {
		addresses[identity] = address
	}
	for i := range found {
		if address, moved := addresses[found[i].Step]; moved {
			found[i].Step = address
		}
	}
	return found, nil
}
