package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/environment"
)

// shower shows a tree to somebody while it changes.
type shower interface {
	// changed is called after each journal entry; the leaf is nil when it was no step's.
	changed(t *tree, l *leaf, now time.Time)
	// tick lets time pass on the screen.
	tick(t *tree, now time.Time)
	// end draws for the last time.
	end(t *tree, now time.Time)
}

// newShower draws a live tree on a terminal and prints a line for each change elsewhere.
func (c *cli) newShower(w io.Writer) shower {
	if c.terminal(w) && c.variables["TERM"] != "dumb" {
		return &painter{w: w, style: c.style(w), size: c.size}
	}
	return &printer{w: w}
}

// painter draws the whole tree again and again in the same place. Each drawing is one Write, and lines are overwritten
// rather than cleared first, so that nothing flickers.
type painter struct {
	w     io.Writer
	style style
	size  func(io.Writer) (width, height int)
	drawn int // lines on the screen
	frame int
}

func (p *painter) changed(*tree, *leaf, time.Time) {} // the next tick draws it; many changes make one drawing

func (p *painter) tick(t *tree, now time.Time) {
	p.frame++
	width, height := p.size(p.w)
	p.paint(t.render(view{now: now, width: width - 1, height: max(height-2, 4), style: p.style, frame: p.frame}))
}

func (p *painter) end(t *tree, now time.Time) {
	width, _ := p.size(p.w)
	p.paint(t.render(view{now: now, width: width - 1, style: p.style, frame: p.frame}))
}

func (p *painter) paint(lines []string) {
	var b strings.Builder
	b.WriteString("\x1b[?25l")
	if p.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r", p.drawn)
	}
	for _, line := range lines {
		b.WriteString(line + "\x1b[K\n")
	}
	b.WriteString("\x1b[J\x1b[?25h")
	p.drawn = len(lines)
	_, _ = p.w.Write([]byte(b.String()))
}

// printer writes a line for each change, for logs and pipes.
type printer struct {
	w      io.Writer
	status environment.Status
}

func (p *printer) changed(t *tree, l *leaf, now time.Time) {
	p.whole(t, now)
	if l == nil {
		return
	}
	text := fmt.Sprintf("%8s  %-10s %s", elapsed(t.took(now)), l.state, t.label(l))
	if l.attempt > 1 {
		text += fmt.Sprintf("  attempt %d", l.attempt)
	}
	if took := l.took(now); took != "" && l.state.Ended() {
		text += "  " + took
	}
	if l.note != "" {
		text += "  " + cut(t.shorten(l.note), 400)
	}
	_, _ = fmt.Fprintln(p.w, text)
}

// whole prints the environment's own line when its status has changed.
func (p *printer) whole(t *tree, now time.Time) {
	if p.status != t.status {
		p.status = t.status
		_, _ = fmt.Fprintf(p.w, "%8s  %-10s %s\n", elapsed(t.took(now)), t.status, t.name)
	}
	if t.news != "" {
		_, _ = fmt.Fprintf(p.w, "%8s  %s\n", elapsed(t.took(now)), t.news)
		t.news = ""
	}
}

func (p *printer) tick(*tree, time.Time) {}

func (p *printer) end(t *tree, now time.Time) { p.whole(t, now) }
