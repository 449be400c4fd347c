package environment

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// planner is the world's own knowledge of plans, by the facts alone.
type planner struct {
	thought map[string]echo     // what was thought of, by the hash of its template
	made    []string            // operations of all plans
	usable  map[string]*outline // of those that nothing has overtaken
	making  *outline
	doing   *outline          // the plan that is carried out
	told    map[string]told   // what was said of steps in the operation that does
	saved   map[string]string // hashes by place
	// of approvals
	heldAs, approved map[string]string // fingerprints by step
	rules            []Approval
	asker            string
	given            []string
	off              map[string]bool // what was found otherwise than it was left
	byPlan           bool            // so did the last update begin
	order            *Order
}

type outline struct {
	operation string
	create    bool
	destroy   bool
	heal      bool
	shaken    bool // something was looked at since, or another environment is not what it was: then it may be void
	until     time.Time
	proposed  map[string]Proposed
	shown     map[string]StepPlanned
}

// told is what an executor has said since its step was last begun.
type told struct {
	StepPlanned
	fingerprint string
}

func newPlanner() *planner {
	return &planner{thought: map[string]echo{}, usable: map[string]*outline{}, told: map[string]told{}, saved: map[string]string{}, heldAs: map[string]string{}, off: map[string]bool{}, approved: map[string]string{}}
}

// think remembers a graph that somebody thinks of.
func (p *planner) think(plan echo) []Template {
	hash := fmt.Sprintf("g%d", len(p.thought))
	p.thought[hash] = plan
	return []Template{{Name: "t", Hash: hash}}
}

func (w *world) again(k KeptPlan) (Resolved, error) {
	if !w.sound && rapid.IntRange(0, 20).Draw(w.t, "unreadable") == 0 {
		return Resolved{}, fault.New(fault.Retry, fault.NotFound, "the template is gone")
	}
	if len(k.Templates) == 0 {
		w.turned = true
		return Resolved{Nodes: w.plan.order, Approvals: w.plan.rules}, nil // what was to be taken over, which nobody thinks of as a template
	}
	plan, ok := w.planner.thought[k.Templates[0].Hash]
	if !ok {
		w.t.Fatalf("plan %s is of templates that nobody has thought of", k.Operation)
	}
	w.plan, w.turned = plan, true
	return Resolved{Nodes: plan.order, Moves: plan.moves, Templates: k.Templates, Approvals: plan.rules}, nil
}

// carryOut asks for a plan to be carried out: one that can be, or was, or never was.
func (w *world) carryOut() {
	p := w.planner
	id := "op-0"
	if len(p.made) > 0 && rapid.IntRange(0, 9).Draw(w.t, "known") > 0 {
		id = p.made[len(p.made)-1-rapid.IntRange(0, len(p.made)-1).Draw(w.t, "plan")] // mostly one of the last
		if usable := slices.Sorted(maps.Keys(p.usable)); len(usable) > 0 && rapid.Bool().Draw(w.t, "usable") {
			id = rapid.SampledFrom(usable).Draw(w.t, "which")
		}
	}
	if rapid.IntRange(0, 19).Draw(w.t, "late") == 0 {
		w.now = w.now.Add(25 * time.Hour)
	}
	known, busy, before := p.usable[id], w.state.Busy(), w.plan
	applied, on := w.applied, w.on
	may := known != nil && !busy && w.state.Lock == nil && w.now.Before(known.until)
	if may && known.create {
		w.applied, w.on = map[string]bool{}, map[string]map[string]bool{}
	}
	meta := w.meta()
	meta.RequestedBy = rapid.SampledFrom(people).Draw(w.t, "asker")
	answer := w.decide(ApplyInput{CommandMeta: meta, ApplyPlan: event.ApplyPlan{Plan: id, FailFast: rapid.Bool().Draw(w.t, "failfast")}})
	if !answer.Accepted {
		w.plan, w.applied, w.on = before, applied, on
		otherwise := known != nil && known.shaken && answer.Error.Code == fault.Conflict
		gone := otherwise || answer.Error.Code == fault.NotFound || answer.Error.Code == fault.Protected || answer.Error.Code == fault.Consumed // the template, or the plan
		require.False(w.t, may && !gone, "%s: %v", id, answer.Error)
		return
	}
	require.True(w.t, may, "plan %s was taken", id)
	if w.state.Status == StatusAwaitingApproval {
		w.plan = before
	}
}

// check holds what a plan says against what is done.
func (p *planner) check(w *world, f Fact) {
	switch b := f.Body.(type) {
	case StatusPlanning:
		p.begin(w, b)
	case StepPlanned:
		if b.Saved != nil {
			p.saved[SavedPlan{Operation: b.Operation}.Place(b.Step)] = b.Saved.Hash
		}
		if p.making != nil {
			p.making.shown[b.Step] = b
		} else {
			p.told[b.Step] = told{b, w.offered[w.names.identity(b.Step)].Fingerprint}
		}
	case StatusPlanned:
		if b.Until != nil {
			p.making.until = *b.Until
			p.usable[b.Operation] = p.making
		}
		p.making = nil
	case PlansLapsed:
		for _, id := range b.Plans {
			delete(p.usable, id)
		}
	case ResourceObserved:
		p.seen(w.names.identity(b.Step), b)
	case Created:
		maps.DeleteFunc(p.saved, func(place, _ string) bool { return !p.holds(p.usable[b.Plan], place) })
		p.overtaken(b.Plan)
	case Updated:
		p.overtaken(b.Plan)
	case StatusDestroying:
		p.overtaken(b.Plan)
	case Redeploying:
		p.overtaken(b.Plan)
	case StatusRetrying:
		p.overtaken(b.Plan)
	case StatusRunning:
		p.overtaken("")
	case StatusDestroyed:
		clear(p.saved)
	case Finished:
		p.doing = nil
	case StepHeld:
		p.told[b.Step] = told{}
		p.heldAs[b.Step] = w.offered[w.names.identity(b.Step)].Fingerprint
	case Approved:
		for _, step := range b.Steps {
			if !w.state.Step(step).held() {
				p.approved[step] = p.heldAs[step]
			}
		}
	case StepQueued:
		if w.offered[w.names.identity(b.Step)].Verb == event.Apply && (b.Cause == CauseFailed || b.Cause == CauseLost) {
			p.told[b.Step] = told{} // it may have done a part
			delete(p.approved, b.Step)
		}
	case StepWaiting:
		p.offered(w, b)
	}
}

// seen: what was found otherwise than it was left, or was so before, makes all plans void.
func (p *planner) seen(identity string, b ResourceObserved) {
	off := b.Presence == event.Absent || b.Drifted
	if off || p.off[identity] {
		clear(p.usable)
	}
	p.off[identity] = off
	p.shake()
}

// shake: what the plans were made of may be other than it was.
func (p *planner) shake() {
	for _, o := range p.usable {
		o.shaken = true
	}
	if p.making != nil {
		p.making.shaken = true
	}
}

func (p *planner) begin(w *world, b StatusPlanning) {
	p.making = &outline{operation: b.Operation, create: !w.state.Operation.Before.exists(), destroy: b.Destroy, heal: b.Heal,
		proposed: map[string]Proposed{}, shown: map[string]StepPlanned{}}
	for _, step := range b.Steps {
		p.making.proposed[step.Address] = step
	}
	p.made = append(p.made, b.Operation)
}

func (p *planner) holds(o *outline, place string) bool {
	if o == nil {
		return false
	}
	for step := range o.shown {
		if place == (SavedPlan{Operation: o.operation}).Place(step) {
			return true
		}
	}
	return false
}

func (p *planner) overtaken(by string) {
	p.doing = p.usable[by]
	clear(p.usable)
	clear(p.told)
	clear(p.approved)
}

// offered: nothing is done but what was shown, or what was asked about since and takes nothing away.
func (p *planner) offered(w *world, b StepWaiting) {
	if b.Verb == event.Apply || b.Verb == event.Destruct {
		delete(p.off, w.names.identity(b.Step)) // it will be as it is left then
	}
	if p.doing == nil || b.Verb == event.Validate || b.Verb == event.Propose || b.Verb == event.Observe {
		return
	}
	shown, ok := p.doing.shown[b.Step]
	proposed := p.doing.proposed[b.Step]
	if b.Verb == event.Destruct {
		if !ok || proposed.Proposes != event.Destruct {
			w.t.Fatalf("%s is destroyed, and the plan did not show that", b.Step)
		}
		return
	}
	if n := w.state.Step(b.Step); n != nil && n.Type != ResourceNode {
		if !ok || proposed.Proposes != event.Apply {
			w.t.Fatalf("%s runs, and the plan did not show that", b.Step)
		}
		return
	}
	if fingerprint, ok := p.approved[b.Step]; ok && fingerprint == b.Fingerprint {
		return
	}
	said, asked := p.told[b.Step]
	if !asked {
		if shown.Saved == nil || proposed.Fingerprint == "" || proposed.Fingerprint != b.Fingerprint || b.Plan == nil || b.Plan.Hash != shown.Saved.Hash {
			w.t.Fatalf("%s is applied without its plan, and nobody was asked", b.Step)
		}
		return
	}
	if said.Step == "" || said.fingerprint != b.Fingerprint || (said.Saved != nil) != (b.Plan != nil) {
		w.t.Fatalf("%s is applied, and its executor was not asked about that", b.Step)
	}
	if destructive(said.Plan.Change) && !destructive(shown.Plan.Change) {
		w.t.Fatalf("%s: %s, and the plan has shown %q", b.Step, said.Plan.Change, shown.Plan.Change)
	}
	if said.Plan.Change != event.ChangeNone && (!ok || shown.Plan.Change == event.ChangeNone) {
		w.t.Fatalf("%s changes, and the plan did not show that", b.Step)
	}
}

// store is what the server keeps: it lets go of what the state says, and of nothing else.
func (p *planner) store(w *world) {
	for _, place := range w.state.Released() {
		delete(p.saved, place)
	}
	require.Equal(w.t, p.saved, w.state.SavedPlans(), "what is kept of saved plans is what is needed")
}

// propositions are what executors say of what they would change, and of what they save for it.
func (w *world) proposition(r *event.Result) {
	changes := event.Changes()
	if w.sound || w.planner.doing != nil && (rapid.IntRange(0, 3).Draw(w.t, "harmless") > 0) {
		changes = []event.Change{event.ChangeNone, event.ChangeCreate, event.ChangeUpdate}
	}
	r.Plan = &event.Plan{Change: rapid.SampledFrom(changes).Draw(w.t, "change")}
	switch rapid.IntRange(0, 9).Draw(w.t, "saves") {
	case 0:
		if w.sound {
			break
		}
		r.Unkept = event.MaxState + 1
	case 1, 2, 3, 4:
	default:
		r.SavedPlan = fmt.Sprintf("%s/%s/%d", r.Operation, r.Step, r.Attempt)
	}
}

// settle lets what is under way come to its end, or nearly; mostly it goes well.
func (w *world) settle() {
	w.calm = rapid.IntRange(0, 2).Draw(w.t, "calm") > 0
	defer func() { w.calm = false }()
	for range 3 {
		for range 60 {
			if len(w.tasks) == 0 {
				break
			}
			w.decide(w.resultOf(w.take(0)))
		}
		if !w.state.Busy() {
			return
		}
		w.elapse()
	}
}
