package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// drift has each of 5,000 resources looked at once in two minutes, server and runner in one process, and works out from the
// processor time what 10,000 an hour take. All else that the process does meanwhile counts too.
func drift(ctx context.Context, r *report) error {
	const interval, resources = 2 * time.Minute, 5000
	return filled(ctx, []string{"VIVARIUM_DRIFT_INTERVAL=" + interval.String()}, func(pid int, took time.Duration, command func(...string) ([]byte, error)) error {
		pause(ctx, max(interval-took, 0)+5*time.Second) // a resource is looked at an interval after its apply
		before, err := usedBy(pid)
		if err != nil {
			return err
		}
		pause(ctx, interval)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		after, err := usedBy(pid)
		if err != nil {
			return err
		}
		shown, err := command("env", "show", "idle-7", "-o", "json")
		if seen := strings.Count(string(shown), `"checked_at"`); err != nil || seen < 50 {
			return fmt.Errorf("%d of 50 resources were looked at (%v)", seen, err)
		}
		look := (after - before) / resources
		r.row("a look at a resource, nobody asking", fmt.Sprintf("%.2f ms of a processor", float64(look)/float64(time.Millisecond)), "")
		r.row("drift of 10,000 resources spread over an hour", fmt.Sprintf("%.2f %% of one core", 100*float64(10_000*look)/float64(time.Hour)), "< 5 %")
		return nil
	})
}

// usedBy is what a process has used, in its own code and in the kernel, in ticks of a hundredth of a second.
func usedBy(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, errors.New("/proc tells of no processor time")
	}
	var ticks int
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}
