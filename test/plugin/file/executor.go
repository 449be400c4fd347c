package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// Apply writes the file unless it is as it should be.
func (file) Apply(ctx context.Context, r executor.Request) (executor.Outputs, error) {
	b, was, err := read(ctx, r)
	if err != nil {
		return nil, err
	}
	if b.Note != "" {
		r.Log("out", b.Note)
	}
	if err := waitFor(ctx, b.WaitFor); err != nil {
		return nil, err
	}
	now, there, err := content(b.Path)
	if err != nil {
		return nil, err
	}
	if there && was.Path != b.Path {
		return nil, taken(r, b)
	}
	if !there || now != b.Content {
		if err := write(ctx, r, b); err != nil {
			return nil, err
		}
		r.Log("out", "wrote "+b.Path)
	}
	if was.Path != "" && was.Path != b.Path {
		if err := remove(was.Path); err != nil {
			return nil, err
		}
	}
	path, _ := json.Marshal(b.Path)
	return executor.Outputs{
		"path": {Value: path, Sensitive: r.Holds(path)}, "size": {Value: json.RawMessage(strconv.Itoa(len(b.Content)))},
	}, nil
}

// write says whose the file is before it is there, so that an attempt that was cut off knows it again.
func write(ctx context.Context, r executor.Request, b block) error {
	text, _ := json.Marshal(state{Path: b.Path, SHA256: hash(b.Content)})
	if err := r.SaveState(ctx, text); err != nil {
		return err
	}
	fresh := b.Path + ".new"
	if err := os.WriteFile(fresh, []byte(b.Content), 0o600); err != nil {
		return trouble(err, b.Path)
	}
	if err := os.Rename(fresh, b.Path); err != nil {
		return trouble(err, b.Path)
	}
	return nil
}

// Destroy removes the file that is ours.
func (file) Destroy(ctx context.Context, r executor.Request) error {
	_, was, err := read(ctx, r)
	if err != nil || was.Path == "" {
		return err
	}
	if err := remove(was.Path); err != nil {
		return err
	}
	return r.SaveState(ctx, nil)
}

// Plan compares the file with the inputs.
func (file) Plan(ctx context.Context, r executor.Request, verb event.Verb) (executor.Plan, error) {
	plan := executor.Plan{Plan: event.Plan{Change: event.ChangeNone}}
	b, was, err := read(ctx, r)
	if err != nil && len(r.Unknown) == 0 {
		return plan, err
	}
	now, there, err := content(was.Path)
	switch {
	case err != nil:
		return plan, err
	case verb == event.Destruct && there:
		plan.Change, plan.Differences = event.ChangeDestroy, []event.Difference{{Path: was.Path, Change: event.ChangeDestroy}}
	case verb == event.Destruct:
	case !there:
		plan.Change = event.ChangeCreate
	case len(r.Unknown) > 0:
		plan.Change, plan.Until = event.ChangeUnknown, r.Until()
	case was.Path != b.Path:
		plan.Change, plan.Differences = event.ChangeReplace, []event.Difference{
			{Path: was.Path, Change: event.ChangeDestroy}, {Path: r.Mask(b.Path), Change: event.ChangeCreate},
		}
	case now != b.Content:
		plan.Change, plan.Differences = event.ChangeUpdate, []event.Difference{altered}
	}
	return plan, nil
}

// altered does not show what is in a file: it may be secret.
var altered = event.Difference{Path: "content", Change: event.ChangeUpdate, Before: secret.Shown, After: secret.Shown, Sensitive: true}

// Observe compares the file with what the last apply wrote.
func (file) Observe(ctx context.Context, r executor.Request) (event.Observation, error) {
	found := event.Observation{Presence: event.Absent}
	_, was, err := read(ctx, r)
	if err != nil {
		return event.Observation{Presence: event.PresenceUnknown}, err
	}
	now, there, err := content(was.Path)
	switch {
	case err != nil:
		return event.Observation{Presence: event.PresenceUnknown}, err
	case there:
		found.Presence = event.Present
		if hash(now) != was.SHA256 {
			found.Drifted, found.Differences = true, []event.Difference{altered}
		}
	case was.Path != "":
		found.Drifted, found.Differences = true, []event.Difference{{Path: was.Path, Change: event.ChangeDestroy}}
	}
	return found, nil
}

func read(ctx context.Context, r executor.Request) (b block, s state, err error) {
	if err := ctx.Err(); err != nil {
		return b, s, fault.From(err)
	}
	if s, err = kept(r); err != nil {
		return b, s, err
	}
	b, err = decode(r)
	return b, s, err
}

// content of a file; "" is no path.
func content(path string) (text string, there bool, err error) {
	if path == "" {
		return "", false, nil
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, trouble(err, path)
	}
	return string(data), true, nil
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return trouble(err, path)
	}
	return nil
}

func waitFor(ctx context.Context, path string) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for path != "" {
		if _, err := os.Stat(path); err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fault.From(ctx.Err())
		}
	}
	return nil
}

func taken(r executor.Request, b block) error {
	return fault.New(fault.GiveUp, fault.Exists, "%s can't have the file %q: it is there already, and somebody else's; take another path, or remove it", r.Step, r.Mask(b.Path))
}

func trouble(err error, path string) error {
	return fault.Wrap(err, fault.Retry, fault.ExecutorFailed, "the file %q can't be used: see its folder and permissions", path)
}
