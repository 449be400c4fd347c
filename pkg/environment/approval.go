package environment

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// What has to be approved, and when.
const (
	ForUpdate    = "update"
	ForDestroy   = "destroy"
	WhenAlways   = "always"
	WhenDestroys = "destroys"
	WhenNever    = "never"
)

// Bounds of how long an approval is waited for.
const (
	DefaultExpires = 24 * time.Hour
	MostExpires    = 30 * 24 * time.Hour
)

// Approval is a rule in force: an update or a destroy of the environment waits until somebody has approved its plan.
type Approval struct {
	Template string        `json:"template,omitempty"` // that asks for it; "": the environment's own
	For      []string      `json:"for"`
	When     string        `json:"when"`
	By       []string      `json:"by,omitempty"`
	Self     bool          `json:"self,omitempty"`
	Expires  time.Duration `json:"expires"` // in nanoseconds
}

// NewApproval reads a rule. Errors: fault.Invalid, which says what is wrong with which field.
func NewApproval(e event.Approval) (Approval, error) {
	a := Approval{For: slices.Clone(e.For), When: e.When, By: e.By, Self: e.Self, Expires: DefaultExpires}
	invalid := func(format string, args ...any) (Approval, error) {
		return a, fault.New(fault.Reject, fault.Invalid, "field \"approval\": "+format, args...)
	}
	if len(a.For) == 0 {
		a.For = []string{ForUpdate, ForDestroy}
	}
	for _, what := range a.For {
		if what != ForUpdate && what != ForDestroy {
			return invalid("\"for\" has %q: it takes \"update\" and \"destroy\"", what)
		}
	}
	switch a.When {
	case "":
		a.When = WhenAlways
	case WhenAlways, WhenDestroys, WhenNever:
	default:
		return invalid("\"when\" is %q: it takes \"always\", \"destroys\" and \"never\"", a.When)
	}
	for _, who := range a.By {
		if _, err := path.Match(who, ""); err != nil || who == "" {
			return invalid("\"by\" has %q, which is no pattern of a CloudEvents source", who)
		}
	}
	if e.Expires == "" {
		return a, nil
	}
	var err error
	if a.Expires, err = time.ParseDuration(e.Expires); err != nil || a.Expires <= 0 || a.Expires > MostExpires {
		return invalid("\"expires\" is %q: it takes a duration such as \"24h\", of at most 30 days", e.Expires)
	}
	return a, nil
}

func (a Approval) about(concern string) bool { return slices.Contains(a.For, concern) }

// needed are the approvals that some rules ask for, and how long the shortest of them waits.
func needed(rules []Approval, counts func(Approval) bool) (needs []Need, wait time.Duration) {
	wait = MostExpires
	for _, a := range rules {
		if counts(a) {
			needs, wait = append(needs, a.need()), min(wait, a.Expires)
		}
	}
	return needs, wait
}

func (a Approval) need() Need { return Need{Template: a.Template, By: a.By, Self: a.Self} }

// Need is an approval that is waited for, and who has given it.
type Need struct {
	Template string   `json:"template,omitempty"`
	By       []string `json:"by,omitempty"`
	Self     bool     `json:"self,omitempty"`
	// Given is the CloudEvents source of who has approved, with the comment.
	Given   string     `json:"given,omitempty"`
	At      *time.Time `json:"at,omitempty"`
	Comment string     `json:"comment,omitempty"`
}

// allows tells whether somebody may approve what another one has asked for.
func (n Need) allows(who, asker string) bool {
	if who == "" || (!n.Self && who == asker) {
		return false
	}
	if len(n.By) == 0 {
		return true
	}
	return slices.ContainsFunc(n.By, func(pattern string) bool {
		ok, err := path.Match(pattern, who)
		return ok && err == nil
	})
}

func (n Need) who(asker string) string {
	who := "anybody"
	if len(n.By) > 0 {
		who = strings.Join(n.By, ", ")
	}
	if !n.Self && asker != "" {
		who += " but not " + asker + ", who has asked for it"
	}
	return who
}

// Awaits is an approval that is waited for. It is a value of its own for everything that waits: a plan, or one step.
type Awaits struct {
	Needs []Need    `json:"needs"`
	Until time.Time `json:"until"`
	// Why a step is held: what the plan did not show.
	Why string `json:"why,omitempty"`
}

func (a *Awaits) open(n Need) bool { return n.Given == "" }

// given is it with what somebody has approved; records that were taken hold the old one.
func (a *Awaits) given(b Approved, at time.Time, asker string) *Awaits {
	next := *a
	next.Needs = slices.Clone(a.Needs)
	for i, n := range next.Needs {
		if n.Given == "" && n.allows(b.RequestedBy, asker) {
			next.Needs[i].Given, next.Needs[i].At, next.Needs[i].Comment = b.RequestedBy, &at, b.Comment
		}
	}
	return &next
}

// done tells whether nobody else has to approve.
func (a *Awaits) done() bool { return !slices.ContainsFunc(a.Needs, a.open) }

// takes tells whether somebody's approval would count for anything.
func (a *Awaits) takes(who, asker string) bool {
	return slices.ContainsFunc(a.Needs, func(n Need) bool { return a.open(n) && n.allows(who, asker) })
}

// who says who may approve what is open still.
func (a *Awaits) who(asker string) string {
	var who []string
	for _, n := range a.Needs {
		if a.open(n) {
			who = append(who, n.who(asker))
		}
	}
	return strings.Join(who, "; and besides ")
}

// AwaitingRecord is what an operation waits for, as readers see it.
type AwaitingRecord struct {
	Operation string `json:"operation"`
	// Kind is what has to be approved: update or destroy.
	Kind        string `json:"kind"`
	RequestedBy string `json:"requested_by,omitempty"`
	// Awaits is of the whole plan, absent where single steps are held.
	*Awaits
	Steps []HeldStep `json:"steps,omitempty"`
}

// HeldStep is a step that would do what the plan did not show.
type HeldStep struct {
	Step string `json:"step"`
	Awaits
	// Change, Differences and Omitted are what its executor would do.
	Change      event.Change       `json:"change,omitempty"`
	Differences []event.Difference `json:"differences,omitempty"`
	Omitted     int                `json:"omitted,omitempty"`
}

func (s *State) awaiting() *AwaitingRecord {
	o := s.Operation
	if !s.Busy() || o.Status != OperationRunning {
		return nil
	}
	r := &AwaitingRecord{Operation: o.ID, Kind: o.concern(), RequestedBy: o.RequestedBy, Awaits: o.Awaits}
	if o.executing() {
		for _, n := range s.Nodes {
			if n.held() {
				r.Steps = append(r.Steps, HeldStep{Step: n.Address, Awaits: *n.Asked.Hold,
					Change: n.Asked.Plan.Change, Differences: n.Asked.Plan.Differences, Omitted: n.Asked.Plan.Omitted})
			}
		}
	}
	if r.Awaits == nil && r.Steps == nil {
		return nil
	}
	return r
}

func (n *Step) held() bool { return n.Asked != nil && n.Asked.Hold != nil && n.State == StateQueued }

// concern is which rules are about an operation.
func (o *Operation) concern() string {
	if o.Kind == DestroyOperation || (o.Order != nil && o.Plan.Destroy) {
		return ForDestroy
	}
	return ForUpdate
}

// destroys tells whether a plan shows that something would be gone, if only to be made again.
func (k *KeptPlan) destroys() bool {
	return slices.ContainsFunc(k.Steps, func(step KeptStep) bool {
		return destructive(step.Change) || slices.ContainsFunc(step.Shown, func(d Shown) bool { return destructive(d.Change) })
	})
}

func approvalReason(a *Awaits, asker string) *Reason {
	return &Reason{Code: BecauseApproval, Detail: fmt.Sprintf("%s, and the plan did not show that; it may be approved by %s", a.Why, a.who(asker)), Until: &a.Until}
}
