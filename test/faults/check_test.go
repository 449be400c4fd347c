package faults

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// history is all that is known of one environment at the end.
type history struct {
	Name    string
	Want    string // status
	Status  string // as the API says
	Nodes   int    // steps of the create operation
	Destroy int    // steps of the destroy operation, when Want is destroyed
	Journal []entry
	Effects []effect
	// Overlap is how long an older attempt may go on when a newer one has begun.
	Overlap time.Duration
}

// findings are what is wrong; all empty is as it should be.
type findings struct {
	Steps   int // journalled complete
	Lost    []string
	Doubled []string
	Untrue  []string
}

func (f *findings) add(o findings) {
	f.Steps += o.Steps
	f.Lost = append(f.Lost, o.Lost...)
	f.Doubled = append(f.Doubled, o.Doubled...)
	f.Untrue = append(f.Untrue, o.Untrue...)
}

func (f *findings) bad() bool { return len(f.Lost)+len(f.Doubled)+len(f.Untrue) > 0 }

func (f *findings) String() string {
	var b strings.Builder
	for _, part := range []struct {
		name string
		list []string
	}{{"lost", f.Lost}, {"doubled", f.Doubled}, {"untrue", f.Untrue}} {
		for _, line := range part.list {
			fmt.Fprintf(&b, "%s: %s\n", part.name, line)
		}
	}
	return b.String()
}

// check holds the journal of an environment against the ledger.
func check(h history) findings {
	c := &checker{history: h, complete: map[key]entry{}, offered: map[key]map[int]bool{}}
	c.readJournal()
	c.readEffects()
	c.conclude()
	return c.findings
}

type checker struct {
	history
	findings
	complete map[key]entry
	offered  map[key]map[int]bool
	status   string // the last that was journalled
	failed   string // why a step failed, when one did
}

func (c *checker) lost(format string, args ...any) {
	c.Lost = append(c.Lost, c.Name+": "+fmt.Sprintf(format, args...))
}
func (c *checker) doubled(format string, args ...any) {
	c.Doubled = append(c.Doubled, c.Name+": "+fmt.Sprintf(format, args...))
}
func (c *checker) untrue(format string, args ...any) {
	c.Untrue = append(c.Untrue, c.Name+": "+fmt.Sprintf(format, args...))
}

func (c *checker) readJournal() {
	var seq uint64
	for _, e := range c.Journal {
		if e.Seq <= seq {
			c.untrue("journal entry %d comes behind %d", e.Seq, seq)
		}
		seq = e.Seq
		k := key{e.Data.Operation, e.Data.Step}
		switch {
		case e.Type == "step.waiting":
			c.offer(k, e)
		case e.Type == "step.complete":
			c.completed(k, e)
		case e.Type == "step.error" && e.Data.Error != nil:
			c.failed = fmt.Sprintf("%s attempt %d: %s: %s", k.step, e.Data.Attempt, e.Data.Error.Code, e.Data.Error.Message)
		case strings.HasPrefix(e.Type, "environment."):
			c.status = strings.TrimPrefix(e.Type, "environment.")
		}
	}
	c.Steps = len(c.complete)
}

func (c *checker) offer(k key, e entry) {
	if done, ok := c.complete[k]; ok && e.Data.Verb != "validate" {
		c.doubled("%s %s was offered again (entry %d) after it was complete (entry %d)", k.operation, k.step, e.Seq, done.Seq)
	}
	attempts := c.offered[k]
	if attempts == nil {
		attempts = map[int]bool{}
		c.offered[k] = attempts
	}
	for earlier := range attempts {
		if earlier >= e.Data.Attempt {
			c.doubled("%s %s was offered as attempt %d after attempt %d", k.operation, k.step, e.Data.Attempt, earlier)
		}
	}
	attempts[e.Data.Attempt] = true
}

func (c *checker) completed(k key, e entry) {
	if done, ok := c.complete[k]; ok {
		c.doubled("%s %s was journalled complete twice: entries %d and %d", k.operation, k.step, done.Seq, e.Seq)
		return
	}
	if !c.offered[k][e.Data.Attempt] {
		c.untrue("%s %s was completed as attempt %d, which was never offered", k.operation, k.step, e.Data.Attempt)
	}
	c.complete[k] = e
}

// run is one attempt as the ledger knows it; End is zero when it never came to it.
type run struct {
	attempt, pid int
	Start, End   time.Time
	Cut          time.Time // it was stopped
}

// over is when nothing of it was at work any more, zero when the ledger does not say: it was killed.
func (r run) over() time.Time {
	if r.End.IsZero() {
		return r.Cut
	}
	return r.End
}

func (c *checker) readEffects() {
	runs := map[key][]run{}
	for _, e := range c.Effects {
		k := key{e.Operation, e.Step}
		if !e.End && !e.Cut {
			runs[k] = append(runs[k], run{attempt: e.Attempt, pid: e.PID, Start: e.At})
			continue
		}
		at := slices.IndexFunc(runs[k], func(r run) bool { return r.pid == e.PID && r.attempt == e.Attempt && r.over().IsZero() })
		if at < 0 {
			c.untrue("%s %s has an end in the ledger without a start: %+v", k.operation, k.step, e)
			continue
		}
		if e.Cut {
			runs[k][at].Cut = e.At
		} else {
			runs[k][at].End = e.At
		}
	}
	for k, list := range runs {
		c.attempts(k, list)
	}
	for k, e := range c.complete {
		if leavesEffects(k.step) {
			c.effectOf(k, e, runs[k])
		}
	}
}

// attempts looks at all runs of one step.
func (c *checker) attempts(k key, list []run) {
	done, complete := c.complete[k]
	for i, r := range list {
		switch {
		case complete && r.Start.After(done.Time):
			c.doubled("%s %s began again as attempt %d at %s, after it was journalled complete at %s", k.operation, k.step,
				r.attempt, stamp(r.Start), stamp(done.Time))
		case r.attempt != 0 && !c.offered[k][r.attempt]:
			c.untrue("%s %s ran as attempt %d, which was never offered", k.operation, k.step, r.attempt)
		}
		for _, other := range list[i+1:] {
			c.pair(k, r, other)
		}
	}
}

// pair looks at two runs of one step.
func (c *checker) pair(k key, a, b run) {
	if a.attempt != 0 && a.attempt == b.attempt {
		c.doubled("%s %s attempt %d began twice: processes %d and %d", k.operation, k.step, a.attempt, a.pid, b.pid)
	}
	if b.Start.Before(a.Start) {
		a, b = b, a
	}
	if over := a.over().Sub(b.Start); !a.over().IsZero() && over > c.Overlap {
		c.doubled("%s %s attempts %d and %d overlapped by %s", k.operation, k.step, a.attempt, b.attempt, over)
	}
}

// effectOf looks for the run that made a step complete.
func (c *checker) effectOf(k key, done entry, list []run) {
	for _, r := range list {
		if (r.attempt == 0 || r.attempt == done.Data.Attempt) && !r.End.IsZero() && !r.End.After(done.Time) {
			return
		}
	}
	c.lost("%s %s was journalled complete as attempt %d, and no such attempt ran to its end before that (runs: %+v)", k.operation,
		k.step, done.Data.Attempt, list)
}

func (c *checker) conclude() {
	count := map[string]int{}
	for k := range c.complete {
		count[k.operation]++
	}
	if c.Status != c.Want {
		c.untrue("it is %q and should be %q (%s)", c.Status, c.Want, c.failed)
		return
	}
	if c.status != c.Status {
		c.untrue("the journal ends with %q, the API says %q", c.status, c.Status)
	}
	if c.Nodes > 0 && count["op-1"] != c.Nodes {
		c.lost("%d of %d steps are complete", count["op-1"], c.Nodes)
	}
	if c.Want == "destroyed" && count["op-2"] != c.Destroy {
		c.lost("%d of %d steps of the destroy are complete", count["op-2"], c.Destroy)
	}
}

func stamp(t time.Time) string { return t.UTC().Format("15:04:05.000000") }
