package main

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

// longestName is where names of steps are cut, in runes.
const longestName = 48

var spinner = []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")

// view is how a tree is to be drawn.
type view struct {
	now           time.Time
	width, height int // of the terminal; height 0 is unbounded
	style         style
	frame         int // of the spinner
}

// render draws the tree in lines that fit the view. When it is too high, only what runs or failed is named.
func (t *tree) render(v view) []string {
	lines := t.draw(v, false)
	if v.height > 0 && len(lines) > v.height {
		lines = t.draw(v, true)
		if more := len(lines) - v.height; more > 0 {
			lines = append(lines[:v.height-1], v.style.dim(cut(fmt.Sprintf("  … and %d more lines", more+1), v.width)))
		}
	}
	return lines
}

func (t *tree) draw(v view, brief bool) []string {
	lines := []string{t.headline(v)}
	group := "\x00"
	for _, address := range t.order {
		l := t.leaves[address]
		first := l.group != group
		if first {
			group = l.group
		}
		if first && len(t.groups) > 1 {
			lines = append(lines, t.groupLine(group, v, brief))
		}
		if !brief || l.state == environment.StateRunning || l.state == environment.StateError {
			lines = append(lines, t.leafLine(l, v))
		}
	}
	return lines
}

func (t *tree) headline(v view) string {
	ended, all := t.done()
	rest := fmt.Sprintf("  %d of %d steps", ended, all)
	if took := t.took(v.now); took > 0 {
		rest += "  " + elapsed(took)
	}
	paused := ""
	if t.paused {
		paused = "  paused"
	}
	room := max(v.width-utf8.RuneCountInString(rest)-2-len(t.status)-len(paused), 8)
	return v.style.bold(cut(t.name, room)) + "  " + v.style.status(t.status) + v.style.yellow(paused) + v.style.dim(rest)
}

func (t *tree) took(now time.Time) time.Duration {
	switch {
	case t.since.IsZero():
		return 0
	case t.until.IsZero():
		return max(now.Sub(t.since), 0)
	default:
		return t.until.Sub(t.since)
	}
}

func (t *tree) groupLine(group string, v view, brief bool) string {
	title := group
	if title == "" {
		title = "(no group)"
	}
	if !brief {
		return "  " + v.style.bold(cut(title, v.width-2))
	}
	ended, all := 0, 0
	for _, l := range t.leaves {
		if l.group == group {
			all++
			if l.state.Ended() {
				ended++
			}
		}
	}
	return "  " + v.style.bold(cut(title, v.width-14)) + v.style.dim(fmt.Sprintf("  %d of %d", ended, all))
}

// leafLine is symbol, name, time, attempt and note, cut to the width.
func (t *tree) leafLine(l *leaf, v view) string {
	column := min(t.widest, longestName, max(v.width-16, 8))
	name := cut(t.label(l), column)
	pad := strings.Repeat(" ", column-utf8.RuneCountInString(name))
	line := "    " + v.symbol(l) + " " + name
	facts := []string{fmt.Sprintf("%7s", l.took(v.now))}
	if l.attempt > 1 {
		facts = append(facts, fmt.Sprintf("attempt %d", l.attempt))
	}
	if l.verb == event.Validate && !l.state.Ended() {
		facts = append(facts, "checking that it answers")
	}
	if why := t.why(l); why != "" {
		facts = append(facts, cut(t.shorten(why), v.width))
	}
	used := 6 + utf8.RuneCountInString(name) + len(pad) + 1
	text := strings.TrimRight(clip(strings.Join(facts, "  "), v.width-used), " ")
	if text == "" {
		return line
	}
	return line + pad + " " + v.note(l, text)
}

func (l *leaf) took(now time.Time) string {
	switch {
	case l.started.IsZero() || l.state == environment.StateBlocked || l.state == environment.StateSkipped:
		return ""
	case l.state == environment.StateRunning:
		return elapsed(max(now.Sub(l.started), 0))
	case l.state.Ended() && !l.finished.IsZero():
		return elapsed(max(l.finished.Sub(l.started), 0))
	default:
		return ""
	}
}

func (v view) symbol(l *leaf) string {
	switch l.state {
	case environment.StateComplete:
		return v.style.green("✓")
	case environment.StateError:
		return v.style.red("✗")
	case environment.StateSkipped:
		return v.style.dim("−")
	case environment.StateRunning:
		return v.style.blue(string(spinner[v.frame%len(spinner)]))
	case environment.StateWaiting, environment.StateQueued:
		return v.style.yellow("○")
	default:
		return v.style.dim("·")
	}
}

func (v view) note(l *leaf, text string) string {
	if l.state == environment.StateError {
		return v.style.red(text)
	}
	return v.style.dim(text)
}

func (s style) status(status environment.Status) string {
	switch status {
	case environment.Deployed:
		return s.green(string(status))
	case environment.Failed, environment.DestroyFailed:
		return s.red(string(status))
	case environment.Destroyed:
		return s.dim(string(status))
	default:
		return s.blue(string(status))
	}
}

// elapsed shows tenths below a minute, and minutes and seconds above.
func elapsed(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	if d < time.Hour {
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}
