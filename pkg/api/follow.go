package api

import (
	"context"
	"time"

	"github.com/vivarium-env/vivarium/pkg/store"
)

// follower is one stream of lines. It takes them from the store page by page, as fast as its client takes them, so that
// it never holds more than a page; what is pruned before it was read is counted.
type follower struct {
	*Server
	*reader
	selection store.LogSelection
	gaps      *gaps
	// ended gives the data of the stream's last event once nothing more is to come; nil when the stream has no end.
	ended func(context.Context) (any, error)

	last    any       // what ended has given
	checked uint64    // how far the journal was when ended was asked
	quiet   time.Time // since when no line has come after the end
}

func (s *Server) followLogs(k *call, selection store.LogSelection, ended func(context.Context) (any, error)) error {
	ctx, cancel := context.WithCancel(k.context())
	defer cancel()
	reader := s.feeds.join(selection.Environment) // before the first read, so that nothing falls between
	defer reader.leave()
	after := k.position()
	selection.After, selection.Limit = after.id, logPage
	f := &follower{Server: s, reader: reader, selection: selection, gaps: newGaps(after), ended: ended}
	return s.stream(ctx, k, pace{wake: reader.wake, every: s.options.Heartbeat}, func(w *eventWriter) (progress, error) {
		return f.read(ctx, w)
	})
}

// read sends a page.
func (f *follower) read(ctx context.Context, w *eventWriter) (progress, error) {
	revision, settled := f.state()
	if err := f.ask(ctx, revision); err != nil {
		return waiting, err
	}
	lines, err := f.lines(ctx, f.selection)
	if err != nil {
		return waiting, err
	}
	for _, line := range lines {
		f.gaps.line(line)
		if err := f.tell(w, settled); err != nil {
			return waiting, err
		}
		if err := w.send(eventID(line, f.selection.Step != ""), "line", line); err != nil {
			return waiting, err
		}
		f.selection.After = line.ID
	}
	if len(lines) == logPage {
		return more, w.flush()
	}
	if err := f.tell(w, settled); err != nil {
		return waiting, err
	}
	if f.drained(len(lines)) {
		return ended, f.end(w)
	}
	f.restless.Store(f.last != nil || len(f.gaps.open) > 0)
	return waiting, w.flush()
}

// ask finds out whether the end has come, when the environment has changed.
func (f *follower) ask(ctx context.Context, revision uint64) error {
	if f.ended == nil || f.checked == revision && revision > 0 {
		return nil
	}
	last, err := f.ended(ctx)
	if err != nil {
		return err
	}
	if f.last, f.checked = last, revision; last == nil {
		f.quiet = time.Time{}
	}
	return nil
}

// drained tells whether no line has come for long enough after the end.
func (f *follower) drained(lines int) bool {
	if f.last == nil {
		return false
	}
	if lines > 0 || f.quiet.IsZero() {
		f.quiet = time.Now()
	}
	return time.Since(f.quiet) >= drainLogs
}

// tell sends what is known to be missing.
func (f *follower) tell(w *eventWriter, settled uint64) error {
	for _, missed := range f.gaps.settled(settled, time.Now()) {
		if err := w.send("", "missed", missed); err != nil {
			return err
		}
	}
	return nil
}

// end sends what was waited for in vain, and the last event.
func (f *follower) end(w *eventWriter) error {
	const everything = 1<<64 - 1
	if err := f.tell(w, everything); err != nil {
		return err
	}
	if err := w.send("", "end", f.last); err != nil {
		return err
	}
	return w.flush()
}
