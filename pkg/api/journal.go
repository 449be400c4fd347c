package api

import (
	"context"
	"errors"
	"strconv"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// anyPartition selects an environment's entries wherever they are.
const anyPartition = -1

// batchSize is how many entries or lines a stream reads at once.
const batchSize = 500

func (s *Server) journal(k *call) error {
	if err := s.heard(k); err != nil {
		return err
	}
	if k.streams() {
		return s.followJournal(k)
	}
	return answerEntries(k, func(limit int) ([]store.Entry, error) {
		return s.entries(k.context(), k.path("name"), k.after(), limit)
	})
}

// answerEntries answers with a page of what read returns, as subscribers see it.
func answerEntries(k *call, read func(limit int) ([]store.Entry, error)) error {
	limit := int(k.number("limit")) //nolint:gosec // at most mostItems
	entries, err := read(limit + 1)
	if err != nil {
		return err
	}
	next := ""
	if len(entries) > limit {
		entries = entries[:limit]
		next = strconv.FormatUint(entries[limit-1].Seq, 10)
	}
	for i := range entries {
		entries[i] = public(entries[i])
	}
	return answerList(k, entries, "after", next)
}

// heard finds out whether the environment is known, if only by a command that was rejected.
func (s *Server) heard(k *call) error {
	_, unknown := s.record(k)
	if unknown == nil {
		return nil
	}
	entries, err := s.entries(k.context(), k.path("name"), 0, 1)
	if err == nil && len(entries) > 0 {
		return nil
	}
	return errors.Join(err, unknown)
}

func (s *Server) entries(ctx context.Context, name string, after uint64, limit int) ([]store.Entry, error) {
	return s.options.Store.Entries(ctx, store.Selection{Partition: anyPartition, Environment: name, After: after, Limit: limit})
}

// public is an entry as subscribers see it. A fact that this version can't read is shown as it is.
func public(e store.Entry) store.Entry {
	if data, err := environment.PublicData(e.Type, e.Data); err == nil {
		e.Data = data
	}
	e.Data = secret.Show(e.Data)
	return e
}

// after is where a client goes on: a stream that was interrupted knows better than the address it was opened with.
func (k *call) after() uint64 {
	if len(k.list("Last-Event-ID")) > 0 {
		return k.number("Last-Event-ID")
	}
	return k.number("after")
}

func (s *Server) followJournal(k *call) error {
	name, after := k.path("name"), k.after()
	ctx, cancel := context.WithCancel(k.context())
	defer cancel()
	changes := s.options.Store.Watch(ctx) // before the first read, so that nothing falls between
	return s.stream(ctx, k, pace{wake: changes, every: s.options.Heartbeat}, func(w *eventWriter) (progress, error) {
		entries, err := s.entries(ctx, name, after, batchSize)
		if err != nil {
			return waiting, err
		}
		for _, entry := range entries {
			if err := w.send(strconv.FormatUint(entry.Seq, 10), entry.Type, public(entry)); err != nil {
				return waiting, err
			}
			after = entry.Seq
		}
		if len(entries) == batchSize {
			return more, w.flush()
		}
		return waiting, w.flush()
	})
}
