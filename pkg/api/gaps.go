package api

import (
	"slices"
	"time"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/store"
)

const (
	// disorder is how many lines of an attempt may come late for all that is known, since several servers keep them:
	// a greater gap is told of at once, a smaller one when its lines have had their time.
	disorder = 1000
	// settledAge is the age of a line before which everything has come.
	settledAge = 30 * time.Second
	// mostGaps and mostAttempts bound what a stream remembers.
	mostGaps     = 256
	mostAttempts = 20_000
)

// gaps finds the lines that a reader does not get: those that the store has pruned before they were read, and those that
// never came. Within an attempt lines are numbered from 0, so what is missing shows as soon as the next one is there.
// Memory is bounded. Not safe for concurrent use.
type gaps struct {
	next map[attempt]int // number that follows the highest of an attempt
	open []gap           // not told of yet, in the order in which they were found
	// baseline: the first line of an attempt says nothing about those before it, which the reader may have had.
	baseline bool
	last     *logPosition // where a stream of a single step goes on
}

// attempt of a step whose lines are numbered together.
type attempt struct {
	operation, step string
	number          int
}

// gap is a run of missing numbers: from included, to not.
type gap struct {
	attempt
	from, to int
	behind   uint64    // id of the line that shows it
	at       time.Time // of that line
}

func newGaps(after logPosition) *gaps {
	g := &gaps{next: map[attempt]int{}, baseline: after.id > 0}
	if after.exact {
		g.last = &after
	}
	return g
}

// line takes the next line of the stream. Attempt 0 is what a running resource prints, whose numbers jump whenever following
// begins anew.
func (g *gaps) line(r store.LogRecord) {
	if r.Attempt == 0 {
		return
	}
	if len(g.next) >= mostAttempts {
		clear(g.next)
		g.baseline, g.last = true, nil
	}
	key := attempt{r.Operation, r.Step, r.Attempt}
	next, known := g.next[key]
	if !known {
		next = g.first(r)
	}
	switch {
	case r.Number > next:
		g.open = append(g.open, gap{attempt: key, from: next, to: r.Number, behind: r.ID, at: r.Time})
	case r.Number < next:
		g.late(key, r.Number)
	}
	g.next[key] = max(next, r.Number+1)
}

// first is the number that the first line of an attempt should have.
func (g *gaps) first(r store.LogRecord) int {
	switch {
	case g.last != nil && r.Attempt == g.last.attempt && r.Number > g.last.number:
		return g.last.number + 1
	case g.last != nil && r.Attempt >= g.last.attempt, !g.baseline:
		return 0 // it begins behind where the stream goes on
	default:
		return r.Number
	}
}

// late takes a line out of the gap that it was missing in.
func (g *gaps) late(key attempt, number int) {
	for i, o := range g.open {
		if o.attempt != key || number < o.from || number >= o.to {
			continue
		}
		before, after := o, o
		before.to, after.from = number, number+1
		parts := slices.DeleteFunc([]gap{before, after}, func(g gap) bool { return g.from >= g.to })
		g.open = slices.Replace(g.open, i, i+1, parts...)
		return
	}
}

// settled takes out the gaps that will not be filled any more: the store has nothing to come before the line with the
// id upTo.
func (g *gaps) settled(upTo uint64, now time.Time) []wire.Missed {
	var told []wire.Missed
	over := len(g.open) - mostGaps
	g.open = slices.DeleteFunc(g.open, func(o gap) bool {
		if over <= 0 && o.to-o.from <= disorder && o.behind > upTo && now.Sub(o.at) < settledAge {
			return false
		}
		over--
		told = append(told, wire.Missed{
			Lines: o.to - o.from, Operation: o.operation, Step: o.step, Attempt: o.number, First: o.from,
		})
		return true
	})
	return told
}
