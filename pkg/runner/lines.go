package runner

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// Bounds of what one task prints.
const (
	batchAfter   = 100 * time.Millisecond
	batchLines   = 500
	batchBytes   = 64 << 10
	lineBytes    = 16 << 10 // shown of one line
	rawBytes     = 1 << 20  // looked at of one line
	pendingLines = 10_000   // kept while the bus is down
	pendingBytes = 8 << 20
	holdFor      = 500 * time.Millisecond // for the rest of what may be a secret
	flushWithin  = 2 * time.Second        // before the result is sent without the rest
)

// lines cleans, masks, bounds and batches what an executor prints, and sends it. It keeps the order of all lines, and
// holds back a line whose end may be the beginning of a secret until the next one shows whether it is.
type lines struct {
	runner *Runner
	job    *job
	mask   *masker
	some   chan struct{} // there are lines
	now    chan struct{} // and they are to be sent without waiting for more
	first  int           // number of the first line

	mu      sync.Mutex
	cancel  context.CancelFunc // of the sending; nil until the first line
	over    chan struct{}      // closed when the sending has ended
	closed  bool
	streams map[string]*stream
	pending []*line
	bytes   int // of pending
	dropped int
}

// line is one line on its way; its text is raw until it is settled.
type line struct {
	event.LogLine
	came    time.Time
	start   int // position in the scan of its stream
	more    int // bytes of it that were not looked at
	spans   []span
	settled bool
	kept    bool // in pending, and counted in bytes
}

// stream is what has to be remembered from one line of a stream to the next.
type stream struct {
	cleaner cleaner
	scan    *scan
	hold    int // bytes at the end of the scan that may begin a secret
	open    []*line
}

func newLines(r *Runner, j *job, m *masker) *lines {
	return &lines{
		runner: r, job: j, mask: m, streams: map[string]*stream{},
		some: make(chan struct{}, 1), now: make(chan struct{}, 1),
	}
}

// add takes a line of output; text with line breaks becomes several. What comes after close is dropped. It is safe
// for concurrent use and does not wait for the bus.
func (l *lines) add(name, text string) { l.addAt(time.Now(), name, text) }

// addAt is add for a line that was printed earlier.
func (l *lines) addAt(at time.Time, name, text string) {
	if name != "err" {
		name = "out"
	}
	text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	for _, one := range splitLines(text) {
		l.addOne(at.UTC(), name, one)
	}
	if l.cancel == nil {
		var ctx context.Context
		ctx, l.cancel = context.WithCancel(l.runner.sending)
		l.over = make(chan struct{})
		l.runner.background.Go(func() { l.send(ctx) })
	}
	signal(l.some)
	if len(l.pending) >= batchLines || l.bytes >= batchBytes {
		signal(l.now)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (l *lines) addOne(at time.Time, name, raw string) {
	s := l.streams[name]
	if s == nil {
		s = &stream{scan: l.mask.scan()}
		l.streams[name] = s
	}
	one := &line{came: time.Now(), start: s.scan.pos, more: max(0, len(raw)-rawBytes)}
	one.Time, one.Stream, one.Text = at, name, s.cleaner.line(raw[:min(len(raw), rawBytes)])
	s.open = append(s.open, one)
	var found []span
	found, s.hold = s.scan.read(one.Text)
	for _, f := range found {
		s.cover(f)
	}
	l.keep(one)
	for len(s.open) > 0 && s.open[0].start+len(s.open[0].Text) <= s.scan.pos-s.hold {
		l.settle(s.open[0])
		s.open = s.open[1:]
	}
}

// cover marks a span in those lines that are still here.
func (s *stream) cover(f span) {
	for _, one := range s.open {
		one.spans = appendWithin(one.spans, f, one.start, len(one.Text))
	}
}

// keep appends a line, or only counts it when too many wait for the bus.
func (l *lines) keep(one *line) {
	if len(l.pending) >= pendingLines || l.bytes+len(one.Text) > pendingBytes {
		l.dropped++
		return
	}
	l.noteDropped(one.Time)
	one.kept = true
	l.pending = append(l.pending, one)
	l.bytes += len(one.Text)
}

func (l *lines) noteDropped(now time.Time) {
	if l.dropped == 0 {
		return
	}
	note := &line{settled: true, kept: true}
	note.Time, note.Stream = now, "err"
	note.Text = fmt.Sprintf("(%d lines are missing here: the bus did not take them in time)", l.dropped)
	l.pending, l.bytes, l.dropped = append(l.pending, note), l.bytes+len(note.Text), 0
}

// settle makes the text of a line final.
func (l *lines) settle(one *line) {
	before := len(one.Text)
	one.Text, one.spans, one.settled = cutMore(cover(one.Text, one.spans), one.more), nil, true
	if one.kept {
		l.bytes += len(one.Text) - before
	}
}

// settleStream stops waiting for what may follow, and covers what may be the beginning of a secret.
func (l *lines) settleStream(s *stream) {
	if s.hold >= shortestSecret {
		s.cover(span{s.scan.pos - s.hold, s.scan.pos})
	}
	for _, one := range s.open {
		l.settle(one)
	}
	s.open = nil
}

// take removes the next batch from what is pending.
func (l *lines) take() []event.LogLine {
	l.mu.Lock()
	defer l.mu.Unlock()
	var batch []event.LogLine
	size := 0
	for len(l.pending) > 0 && len(batch) < batchLines && size < batchBytes {
		one := l.pending[0]
		if !one.settled {
			if time.Since(one.came) < holdFor {
				break
			}
			l.settleStream(l.streams[one.Stream])
		}
		batch = append(batch, one.LogLine)
		size += len(one.Text)
		l.pending[0], l.pending = nil, l.pending[1:]
		l.bytes -= len(one.Text)
	}
	return batch
}

// cut bounds a text that is already masked.
func cut(s string) string { return cutMore(s, 0) }

// cutMore is cut for a text that had more bytes yet.
func cutMore(s string, more int) string {
	shown := brief(s, lineBytes)
	if more += len(s) - len(shown); more == 0 {
		return s
	}
	return fmt.Sprintf("%s (cut: %d more bytes)", shown, more)
}

// brief is at most so many bytes of a text that is already masked, and never half a character.
func brief(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}
