package docker

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	dcontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
)

// found is a container of the step.
type found struct {
	dcontainer.InspectResponse
	// adopted: somebody else has made it.
	adopted bool
	// beyond are differences that no comparison with the block finds.
	beyond []event.Difference
}

// list are the step's containers, whatever state they are in, the newest first.
func (w *work) list(ctx context.Context) (all []found, err error) {
	filter := client.Filters{}.Add("label", container.LabelEnvironment+"="+w.r.Environment, container.LabelStep+"="+w.r.Step)
	var listed client.ContainerListResult
	if err := w.call(ctx, func(ctx context.Context) (err error) {
		listed, err = w.docker.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filter})
		return err
	}); err != nil {
		return nil, err
	}
	for _, item := range listed.Items {
		f, there, err := w.inspect(ctx, item.ID)
		if err != nil {
			return nil, err
		}
		if there {
			all = append(all, f)
		}
	}
	if all, err = w.adopted(ctx, all); err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b found) int { return cmp.Compare(b.Created, a.Created) })
	return all, nil
}

// inspect looks at one container, which may be gone.
func (w *work) inspect(ctx context.Context, id string) (f found, there bool, err error) {
	err = w.call(ctx, func(ctx context.Context) error {
		got, err := w.docker.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
		if cerrdefs.IsNotFound(err) {
			return nil
		}
		f, there = found{InspectResponse: got.Container}, err == nil
		return err
	})
	return f, there, err
}

// mine tells whether a container is the step's.
func (w *work) mine(f found) bool {
	return f.Config.Labels[container.LabelEnvironment] == w.r.Environment && f.Config.Labels[container.LabelStep] == w.r.Step
}

// Number is the one that a container has, 0 for one that has none.
func (f found) Number() int {
	n, _ := strconv.Atoi(f.Config.Labels[container.LabelReplica])
	return n
}

func (f found) Called() string { return strings.TrimPrefix(f.Name, "/") }

// hidden are the paths of what held a secret when the container was made.
func (f found) hidden() (paths []string) {
	_ = json.Unmarshal([]byte(f.Config.Labels[labelHidden]), &paths) // none is none
	return paths
}

// AsItShouldBe tells whether it runs, or has done what it was to do once.
func (f found) AsItShouldBe(b container.Block) bool {
	s := f.State
	return s.Running && !s.Paused || s.Status == dcontainer.StateRestarting || f.completed(b)
}

// completed: a container that is not restarted has ended well.
func (f found) completed(b container.Block) bool {
	once := b.Restart == container.RestartNo || b.Restart == container.RestartOnFailure
	return once && b.Health == nil && f.State.Status == dcontainer.StateExited && f.State.ExitCode == 0
}

// Word is how it is, in a word or two.
func (f found) Word() string {
	switch {
	case f.State.OOMKilled:
		return "killed for want of memory"
	case f.State.Status == dcontainer.StateExited:
		return fmt.Sprintf("exited (code %d)", f.State.ExitCode)
	}
	return string(f.State.Status)
}
