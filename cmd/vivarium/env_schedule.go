package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

// scheduleFlags are what the command line says is done with an environment by itself.
type scheduleFlags struct {
	destroyAt, lifetime, extend string
	keep, noHours               bool
	hours                       event.Hours
	drift                       event.DriftPolicy
	format                      string
}

func newEnvironmentSchedule(x *connection) *cobra.Command {
	var f scheduleFlags
	cmd := &cobra.Command{
		Use:   "schedule NAME --destroy-at TIME | --extend DURATION | --keep | --down CRON [--up CRON] | ...",
		Short: "Say what is done with an environment by itself, and when",
		Long: "Says when an environment is destroyed for good, when it is taken down and made again, and how it is looked after. What is\n" +
			"not mentioned stays as it is. Times are as cron has them: minute, hour, day of month, month, day of week.",
		Example: `  vivarium env schedule review-17 --destroy-at 24h
  vivarium env schedule review-17 --extend 24h
  vivarium env schedule demo --up "0 8 * * 1-5" --down "0 19 * * 1-5" --timezone Europe/Berlin
  vivarium env schedule demo --drift-interval 10m --drift-policy heal`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			data, done, err := f.command(time.Now())
			if err != nil {
				return err
			}
			return x.tell(cmd.Context(), event.EnvironmentSchedule, args[0], data, f.format, done)
		},
	}
	f.add(cmd)
	return cmd
}

func (f *scheduleFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.destroyAt, "destroy-at", "", "destroy it for good: 2027-01-31T18:00:00Z, or a duration from now such as 8h")
	flags.StringVar(&f.lifetime, "lifetime", "", "the same, as a duration from when the server takes it")
	flags.StringVar(&f.extend, "extend", "", "move that by a duration such as 24h")
	flags.BoolVar(&f.keep, "keep", false, "do not destroy it by itself")
	flags.StringVar(&f.hours.Up, "up", "", "when it is made again, such as \"0 8 * * 1-5\"")
	flags.StringVar(&f.hours.Down, "down", "", "when it is destroyed, such as \"0 19 * * 1-5\"")
	flags.StringVar(&f.hours.Check, "check", "", "when its resources are looked at, such as \"0 3 * * *\"")
	flags.StringVar(&f.hours.Timezone, "timezone", "", "of these times, such as Europe/Berlin (default UTC)")
	flags.BoolVar(&f.noHours, "no-hours", false, "take these times back")
	flags.StringVar(&f.drift.Interval, "drift-interval", "", "how often each resource is looked at; 0s is never")
	flags.StringVar(&f.drift.Policy, "drift-policy", "", "report, or heal: apply again what has drifted")
	outputFlag(cmd, &f.format, formatTable, formatJSON)
}

// command is the data of environment.schedule, and what a person is told when it was taken.
func (f *scheduleFlags) command(now time.Time) (data event.Schedule, done string, err error) {
	said := 0
	for _, given := range []bool{f.destroyAt != "", f.lifetime != "", f.extend != "", f.keep} {
		if given {
			said++
		}
	}
	hours := !f.hours.None() || f.hours.Timezone != ""
	if said > 1 || (hours && f.noHours) || (said == 0 && !hours && !f.noHours && f.drift == event.DriftPolicy{}) {
		return data, "", usage("want one of --destroy-at, --lifetime, --extend and --keep; times (--up, --down, --check) or --no-hours; or --drift-interval and --drift-policy")
	}
	data.Lifetime, data.Extend = f.lifetime, f.extend
	if f.keep {
		data.Lifetime = "0s"
	}
	if hours || f.noHours {
		data.Hours = &f.hours
	}
	if f.drift != (event.DriftPolicy{}) {
		data.Drift = &f.drift
	}
	if f.destroyAt == "" {
		return data, f.told(), nil
	}
	at, err := pointInTime(f.destroyAt, now)
	data.DestroyAt = &at
	return data, "%s is destroyed by itself at " + at.Local().Format(time.RFC1123) + ".\n", err
}

func (f *scheduleFlags) told() string {
	if f.keep {
		return "%s is not destroyed by itself.\n"
	}
	return "%[1]s: settled. See it with: vivarium env show %[1]s\n"
}

// standingFacts are what is done with an environment by itself.
func standingFacts(r environment.Record) (facts [][2]string) {
	var next []string
	for _, a := range r.Next {
		next = append(next, a.What+" at "+moment(a.At))
	}
	facts = append(facts, [2]string{"Next", strings.Join(next, ", ")})
	if h := r.Hours; !h.None() {
		facts = append(facts, [2]string{"Hours", fmt.Sprintf("up %q, down %q, check %q, %s", h.Up, h.Down, h.Check, cmp.Or(h.Timezone, "UTC"))})
	}
	if d := r.Standing.Drift; d != nil {
		facts = append(facts, [2]string{"Drift", cmp.Or(d.Policy, event.DriftReport) + ", every " + cmp.Or(d.Interval, "interval of the server")})
	}
	return facts
}
