package calendar

import (
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // a container without the machine's own has all timezones

	"github.com/robfig/cron/v3"
)

// Check says what is wrong with an expression: five fields (minute, hour, day of month, month, day of week), or @daily and
// its like. The timezone is a name such as Europe/Berlin; "" is UTC.
func Check(expression, zone string) error {
	_, err := Next(expression, zone, time.Unix(0, 0))
	return err
}

// Next is the first time after a moment; an expression that no day ever fits is an error.
func Next(expression, zone string, after time.Time) (time.Time, error) {
	location, err := place(zone)
	if err != nil {
		return time.Time{}, err
	}
	s, err := parse(expression)
	if err != nil {
		return time.Time{}, err
	}
	next := s.Next(after.In(location))
	if next.IsZero() {
		return next, fmt.Errorf("%q fits no day of the next years", expression)
	}
	return next.UTC(), nil
}

// longAgo bounds how far back Last looks step by step.
const longAgo = 40 * 24 * time.Hour

// Last is the latest time from first, which is one, until now.
func Last(expression, zone string, first, now time.Time) time.Time {
	last := first
	if start := now.Add(-longAgo); last.Before(start) {
		if t, err := Next(expression, zone, start); err == nil && !t.After(now) {
			last = t
		}
	}
	for {
		t, err := Next(expression, zone, last)
		if err != nil || t.After(now) {
			return last
		}
		last = t
	}
}

func place(zone string) (*time.Location, error) {
	if zone == "Local" {
		return nil, errors.New("timezone \"Local\" means another one on every machine; name it, as in Europe/Berlin")
	}
	location, err := time.LoadLocation(zone)
	if err != nil {
		return nil, fmt.Errorf("%q is no timezone; they are called like Europe/Berlin", zone)
	}
	return location, nil
}

func parse(expression string) (cron.Schedule, error) {
	if strings.Contains(expression, "=") || strings.HasPrefix(expression, "@every") {
		return nil, fmt.Errorf("%q is no time of a calendar; write five fields such as \"0 8 * * 1-5\"", expression)
	}
	s, err := cron.ParseStandard(expression)
	if err != nil {
		return nil, fmt.Errorf("%q is no time of a calendar (%w); write minute, hour, day of month, month and day of week, such as \"0 8 * * 1-5\"", expression, err)
	}
	return s, nil
}
