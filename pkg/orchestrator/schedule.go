package orchestrator

import (
	"time"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// checkSchedule looks at what is wrong with the command whatever its environment is.
func checkSchedule(s event.Schedule) error {
	said := 0
	for _, given := range []bool{s.DestroyAt != nil, s.Lifetime != "", s.Extend != ""} {
		if given {
			said++
		}
	}
	if said > 1 {
		return fault.New(fault.Reject, fault.Invalid, "only one of the fields \"destroy_at\", \"lifetime\" and \"extend\" can be given")
	}
	if err := duration("lifetime", s.Lifetime); err != nil {
		return err
	}
	if err := duration("extend", s.Extend); err != nil {
		return err
	}
	if err := environment.CheckHours(s.Hours); err != nil {
		return fault.New(fault.Reject, fault.Invalid, "field \"hours\": %s", err.Message)
	}
	if err := environment.CheckDrift(s.Drift); err != nil {
		return fault.New(fault.Reject, fault.Invalid, "field \"drift\": %s", err.Message)
	}
	return nil
}

func checkLifetime(at *time.Time, lifetime string) error {
	if at != nil && lifetime != "" {
		return fault.New(fault.Reject, fault.Invalid, "only one of the fields \"destroy_at\" and \"lifetime\" can be given")
	}
	return duration("lifetime", lifetime)
}

func duration(name, text string) error {
	if text == "" {
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || (d < 0 && name == "lifetime") {
		return fault.New(fault.Reject, fault.Invalid, "field %q has to be a duration such as \"72h\", not %q", name, clip(text))
	}
	return nil
}
