package main

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

// tree is an environment as a person watches it: its steps in groups, each with state, attempt, time and error.
// It is no more than what was read last, brought forward by the journal. Not safe for concurrent use.
type tree struct {
	name    string
	status  environment.Status
	since   time.Time // of the operation that is watched
	until   time.Time // its end, zero while it goes on
	groups  []string  // in the order of the templates; "" last, for what is in no group
	leaves  map[string]*leaf
	order   []string // addresses, by group and then name
	widest  int      // label in runes
	single  bool     // one template: its name is left out of the addresses
	stale   bool     // a new operation began: everything has to be read again
	current string   // operation
	paused  bool
	holds   map[[2]string]string // why pools take nothing, by pool and executor
	news    string               // what happened to the operation, for who prints lines
}

// leaf is one step.
type leaf struct {
	address, group string
	template       string
	status         environment.Status
	verb           event.Verb
	state          environment.StepState
	attempt        int
	started        time.Time
	finished       time.Time
	note           string // why it does not run, or why it failed
	needs          []string
	pool, executor string
	probe          string
	health         *environment.EndpointHealth
	progress       *event.Progress
}

func newTree(name string) *tree { return &tree{name: name, leaves: map[string]*leaf{}} }

// load takes over what the API has.
func (t *tree) load(r environment.Record, resources []environment.ResourceRecord) {
	t.status, t.stale, t.current = r.Status, false, r.Operation
	t.leaves = make(map[string]*leaf, len(resources))
	templates := map[string]bool{}
	for i := range resources {
		l := leafOf(&resources[i])
		t.leaves[l.address] = l
		templates[l.template] = true
	}
	t.needs(resources)
	t.single = len(templates) <= 1
	t.widest = 0
	for _, l := range t.leaves {
		t.widest = max(t.widest, utf8.RuneCountInString(t.label(l)))
	}
	t.arrange(r.Groups)
}

// begin says which operation is watched, and since when it runs.
func (t *tree) begin(o environment.OperationRecord) {
	t.current, t.since, t.until, t.paused = o.ID, o.StartedAt, time.Time{}, o.Paused
	if o.FinishedAt != nil {
		t.until = *o.FinishedAt
	}
}

func leafOf(r *environment.ResourceRecord) *leaf {
	l := &leaf{
		address: r.Address, group: r.Group, template: r.Template, status: r.Status,
		verb: r.Step.Verb, state: r.Step.State, attempt: r.Step.Attempt,
		pool: r.PoolName(), executor: r.Executor, probe: r.Probe, health: r.Health, progress: r.Step.Progress,
	}
	if r.Step.StartedAt != nil {
		l.started = *r.Step.StartedAt
	}
	if r.Step.FinishedAt != nil {
		l.finished = *r.Step.FinishedAt
	}
	switch {
	case r.Step.Error != nil:
		l.note = r.Step.Error.Message
	case r.Step.Reason != nil && l.state != environment.StateComplete:
		l.note = r.Step.Reason.Detail
	}
	return l
}

func (t *tree) arrange(groups []environment.Group) {
	t.groups = nil
	for _, g := range groups {
		if !slices.Contains(t.groups, g.Name) {
			t.groups = append(t.groups, g.Name)
		}
	}
	t.order = t.order[:0]
	var more []string
	for address, l := range t.leaves {
		t.order = append(t.order, address)
		if l.group != "" && !slices.Contains(t.groups, l.group) && !slices.Contains(more, l.group) {
			more = append(more, l.group)
		}
	}
	slices.Sort(more)
	t.groups = append(append(t.groups, more...), "")
	slices.SortFunc(t.order, func(a, b string) int {
		ga, gb := slices.Index(t.groups, t.leaves[a].group), slices.Index(t.groups, t.leaves[b].group)
		return cmp.Or(cmp.Compare(ga, gb), cmp.Compare(a, b))
	})
}

// label is how a leaf is called: its address, without the template where there is only one.
func (t *tree) label(l *leaf) string {
	if t.single {
		return strings.TrimPrefix(l.address, l.template+".")
	}
	return l.address
}

// shorten leaves the template's name out of the addresses in a note, as label does.
func (t *tree) shorten(note string) string {
	if !t.single {
		return note
	}
	for _, l := range t.leaves {
		return strings.ReplaceAll(note, l.template+".", "")
	}
	return note
}

// done counts the steps that have ended, of all that take part.
func (t *tree) done() (ended, all int) {
	for _, l := range t.leaves {
		if l.state.Ended() {
			ended++
		}
	}
	return ended, len(t.leaves)
}
