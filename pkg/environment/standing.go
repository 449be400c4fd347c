package environment

import (
	"cmp"
	"slices"
	"time"

	"github.com/vivarium-env/vivarium/pkg/calendar"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Standing is what is done with an environment again and again without anybody asking.
type Standing struct {
	Hours *event.Hours       `json:"hours,omitempty"`
	Drift *event.DriftPolicy `json:"drift,omitempty"`
}

// over is what holds where o says nothing: o before s.
func (s Standing) over(o Standing) Standing {
	if o.Hours != nil {
		s.Hours = o.Hours
	}
	if o.Drift != nil {
		s.Drift = o.Drift
	}
	return s
}

// CheckHours says what is wrong with times, nil when nothing is.
func CheckHours(h *event.Hours) *fault.Error {
	if h.None() {
		return nil
	}
	for _, one := range []struct{ name, expression string }{{"up", h.Up}, {"down", h.Down}, {"check", h.Check}} {
		if one.expression == "" {
			continue
		}
		if err := calendar.Check(one.expression, h.Timezone); err != nil {
			return fault.New(fault.Reject, fault.Invalid, "%s: %v", one.name, err)
		}
	}
	switch {
	case h.Up != "" && h.Down == "":
		return fault.New(fault.Reject, fault.Invalid, "up needs a down: an environment is made again only after it was taken down")
	case h.Up != "" && h.Up == h.Down:
		return fault.New(fault.Reject, fault.Invalid, "up and down are the same times: %s", h.Up)
	}
	return nil
}

// CheckDrift says what is wrong with a policy, nil when nothing is.
func CheckDrift(p *event.DriftPolicy) *fault.Error {
	if p == nil {
		return nil
	}
	if p.Interval != "" {
		if d, err := time.ParseDuration(p.Interval); err != nil || d < 0 {
			return fault.New(fault.Reject, fault.Invalid, "interval has to be a duration such as \"1h\", or \"0s\" for never, not %q", p.Interval)
		}
	}
	if !slices.Contains([]string{"", event.DriftReport, event.DriftHeal}, p.Policy) {
		return fault.New(fault.Reject, fault.Invalid, "policy has to be %q or %q, not %q", event.DriftReport, event.DriftHeal, p.Policy)
	}
	return nil
}

// Appointments are when the hours of an environment come next; nil for what they don't have.
type Appointments struct {
	Up    *time.Time `json:"up,omitempty"`
	Down  *time.Time `json:"down,omitempty"`
	Check *time.Time `json:"check,omitempty"`
}

// Appointed: it is settled when the environment's hours come next.
type Appointed struct{ Appointments }

// Type is the fact's name.
func (Appointed) Type() string { return "environment.appointed" }

// Appointment is one thing that is done by itself.
type Appointment struct {
	What string    `json:"what" jsonschema:"enum=create,enum=destroy,enum=check"`
	At   time.Time `json:"at"`
}

// list is in the order of time.
func (a Appointments) list() (list []Appointment) {
	add := func(what string, at *time.Time) {
		if at != nil {
			list = append(list, Appointment{what, *at})
		}
	}
	add("create", a.Up)
	add("destroy", a.Down)
	add("check", a.Check)
	slices.SortStableFunc(list, func(a, b Appointment) int { return a.At.Compare(b.At) })
	return list
}

func sameTime(a, b *time.Time) bool { return a == b || (a != nil && b != nil && a.Equal(*b)) }

func (a Appointments) equal(b Appointments) bool {
	return sameTime(a.Up, b.Up) && sameTime(a.Down, b.Down) && sameTime(a.Check, b.Check)
}

func due(at *time.Time, now time.Time) bool { return at != nil && !now.Before(*at) }

// standing is what holds for the environment: what was said of it, or else what its templates say.
func (s *State) standing() Standing { return s.TemplateStanding.over(s.OwnStanding) }

// hours are those that hold; without any time there are none.
func (s *State) hours() event.Hours {
	if h := s.standing().Hours; !h.None() {
		return *h
	}
	return event.Hours{}
}

// DriftPolicy is how the environment is looked after; interval is the server's, for those that have none.
func (s *State) DriftPolicy(interval time.Duration) (time.Duration, string) {
	p := s.standing().Drift
	if p == nil {
		return interval, event.DriftReport
	}
	if d, err := time.ParseDuration(p.Interval); err == nil {
		interval = d
	}
	return interval, cmp.Or(p.Policy, event.DriftReport)
}

// Remains tells whether there is an environment, or one that is going to be made again by itself.
func (s *State) Remains() bool { return s.Exists() || s.Down }
