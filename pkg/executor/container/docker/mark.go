package docker

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/executor/container/internal/replicas"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// mark says that a container was taken over, and what it was like then: the labels that it would have if the step had made it.
// They are on an empty volume that is named after the container's id, so that only one can have it, all see whose it is, and
// nothing has to be remembered; and in the step's state, for the case that somebody tidies up volumes that nobody uses.
type mark map[string]string

const (
	// labelAdopted is the id of the container that a mark is of.
	labelAdopted = container.LabelPrefix + "adopted"
	// labelImage is the name that its image had in the block then.
	labelImage = container.LabelPrefix + "image"
	// markPrefix and the container's id are the name of the volume.
	markPrefix = "vivarium-adopted-"
)

func (m mark) id() string { return m[labelAdopted] }

func (m mark) of(r executor.Request) bool {
	return m[container.LabelEnvironment] == r.Environment && m[container.LabelStep] == r.Step
}

// markOf is that of a container as it is.
func (w *work) markOf(ctx context.Context, f found) (mark, error) {
	sum, err := w.fingerprint(f.Image)
	if err != nil {
		return nil, err
	}
	files, err := w.hashesIn(ctx, f)
	if err != nil {
		return nil, err
	}
	m := mark(container.Owner(w.r))
	m[labelAdopted], m[labelImage], m[container.LabelReplica], m[container.LabelHash] = f.ID, f.Config.Image, "1", sum
	if w.image != nil && w.image.ID == f.Image {
		m[labelImage] = w.block.Image
	}
	if len(files) > 0 {
		m[labelFiles] = replicas.JSON(files)
	}
	if hidden := w.hidden(); len(hidden) > 0 {
		m[labelHidden] = replicas.JSON(hidden)
	}
	return m, nil
}

// marks of the step.
func (w *work) marks(ctx context.Context) (all []mark, err error) {
	filter := client.Filters{}.Add("label", container.LabelEnvironment+"="+w.r.Environment, container.LabelStep+"="+w.r.Step, labelAdopted)
	if err := w.call(ctx, func(ctx context.Context) error {
		got, err := w.docker.VolumeList(ctx, client.VolumeListOptions{Filters: filter})
		for _, v := range got.Items {
			all = append(all, v.Labels)
		}
		return err
	}); err != nil {
		return nil, err
	}
	if w.kept.id() == "" || slices.ContainsFunc(all, func(m mark) bool { return m.id() == w.kept.id() }) {
		return all, nil
	}
	other, err := w.holder(ctx, w.kept.id())
	if err == nil && other == nil {
		all = append(all, w.kept)
	}
	return all, err
}

// holder is the mark of a container, nil where nobody has taken it over.
func (w *work) holder(ctx context.Context, id string) (m mark, err error) {
	err = w.call(ctx, func(ctx context.Context) error {
		got, err := w.docker.VolumeInspect(ctx, markPrefix+id, client.VolumeInspectOptions{})
		if cerrdefs.IsNotFound(err) {
			return nil
		}
		m = got.Volume.Labels
		return err
	})
	return m, err
}

// hold makes the mark. The engine makes no second volume of a name, and tells whose the first one is.
func (w *work) hold(ctx context.Context, m mark) error {
	var has mark
	if err := w.call(ctx, func(ctx context.Context) error {
		made, err := w.docker.VolumeCreate(ctx, client.VolumeCreateOptions{Name: markPrefix + m.id(), Labels: m})
		has = made.Volume.Labels
		return err
	}); err != nil {
		return err
	}
	if !has.of(w.r) {
		return fault.New(fault.GiveUp, fault.Exists, "%s can't take over the container %s on Docker at %s, which %s in the environment %q has just taken over",
			w.r.Step, replicas.Short(m.id()), w.place.shown, has[container.LabelStep], has[container.LabelEnvironment])
	}
	return nil
}

// remember keeps the mark in the step's state; nil removes it from there.
func (w *work) remember(ctx context.Context, m mark) error {
	if w.r.SaveState == nil || maps.Equal(m, w.kept) {
		return nil
	}
	var text []byte
	if m != nil {
		text = []byte(replicas.JSON(m))
	}
	if err := w.r.SaveState(ctx, text); err != nil {
		return err
	}
	w.kept = m
	return nil
}

// remembered is the mark in a state, which is a mark or nothing.
func remembered(state []byte) (m mark) {
	_ = json.Unmarshal(state, &m) // none is none
	return m
}

// settle removes the marks of containers that are gone, and makes that anew which only the state has kept.
func (w *work) settle(ctx context.Context) error {
	marks, err := w.marks(ctx)
	if err != nil {
		return err
	}
	for _, m := range marks {
		_, there, err := w.inspect(ctx, m.id())
		switch {
		case err == nil && there:
			err = w.hold(ctx, m)
		case err == nil:
			err = w.removeVolume(ctx, markPrefix+m.id())
		}
		if err != nil {
			return err
		}
	}
	return w.settleState(ctx)
}

// settleState forgets what is gone.
func (w *work) settleState(ctx context.Context) error {
	if w.kept.id() == "" {
		return nil
	}
	_, there, err := w.inspect(ctx, w.kept.id())
	if err != nil || there {
		return err
	}
	return w.remember(ctx, nil)
}
