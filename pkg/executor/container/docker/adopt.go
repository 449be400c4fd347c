package docker

import (
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/executor/container/internal/replicas"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Adopt takes a container over that somebody else has made: the only replica, or the first. It is not touched where it is as the
// block says, since labels of a container can't be changed: a mark beside it says whose it is, see mark. The next change
// replaces it by one that has labels, as it would any other.
func (e *Executor) Adopt(ctx context.Context, r executor.Request) (executor.Outputs, error) {
	w, err := e.begin(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := w.take(ctx); err != nil {
		return nil, err
	}
	if err := w.ensureImage(ctx); err != nil {
		return nil, err
	}
	if err := w.claim(ctx); err != nil {
		return nil, err
	}
	return w.apply(ctx)
}

var nameForm = regexp.MustCompile(`^/?[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

// take finds what is to be taken over, where it is not the step's yet.
func (w *work) take(ctx context.Context) error {
	if w.r.Adopt == nil {
		return nil
	}
	var name string
	if json.Unmarshal(w.r.Adopt, &name) != nil || !nameForm.MatchString(name) {
		return fault.New(fault.GiveUp, fault.Invalid, "%s is taken over by the name or the id of its container, such as \"web-1\"", w.r.Step)
	}
	f, there, err := w.inspect(ctx, strings.TrimPrefix(name, "/"))
	if err != nil {
		return err
	}
	if !there {
		return w.absent(ctx, name)
	}
	ours, err := w.whose(ctx, f)
	if err != nil || ours {
		return err
	}
	if err := w.lookAtImage(ctx); err != nil {
		return err
	}
	w.taking, err = w.foreign(ctx, f)
	return err
}

// absent fails unless the step has containers: what was taken over may have been replaced by an attempt before.
func (w *work) absent(ctx context.Context, name string) error {
	all, err := w.list(ctx)
	if err != nil || len(all) > 0 {
		return err
	}
	return fault.New(fault.GiveUp, fault.NotFound, "%s can't be taken over: Docker at %s has no container %q", w.r.Step, w.place.shown, w.r.Mask(name))
}

// whose tells whether a container is the step's already, and fails where it is another's.
func (w *work) whose(ctx context.Context, f found) (ours bool, err error) {
	m := mark(f.Config.Labels)
	if m[container.LabelEnvironment] == "" {
		if m, err = w.holder(ctx, f.ID); err != nil {
			return false, err
		}
	}
	switch {
	case m[container.LabelEnvironment] == "":
		return w.kept.id() == f.ID, nil
	case m.of(w.r):
		return true, nil
	}
	return false, w.anothers(f, m)
}

func (w *work) anothers(f found, m mark) error {
	return fault.New(fault.GiveUp, fault.Exists, "%s can't be taken over: the container %q on Docker at %s is that of %s in the environment %q",
		w.r.Step, f.Called(), w.place.shown, m[container.LabelStep], m[container.LabelEnvironment])
}

// foreign is somebody else's container, to be compared with the block.
func (w *work) foreign(ctx context.Context, f found) (*found, error) {
	image, err := w.inspectImage(ctx, f.Image)
	if err != nil {
		return nil, err
	}
	m, err := w.markOf(ctx, f)
	if err != nil {
		return nil, err
	}
	hidden := w.hidden()
	for _, kv := range f.Config.Env { // nobody has said what of them may be seen
		name, _, _ := strings.Cut(kv, "=")
		hidden = append(hidden, envPath(name))
	}
	shown := maps.Clone(m)
	shown[labelHidden] = replicas.JSON(hidden)
	taken := f.alike(shown, image)
	taken.beyond = append(w.strange(f, image), w.health(ctx, taken)...)
	return &taken, nil
}

// claim puts the mark beside what is taken over. Where it is other than the block says the mark says so too, by having no
// fingerprint: however often this is cut off, it is replaced then.
func (w *work) claim(ctx context.Context) error {
	if w.taking == nil {
		return nil
	}
	differences, err := w.compare(ctx, *w.taking, w.image.ID)
	if err != nil {
		return err
	}
	m, err := w.markOf(ctx, *w.taking)
	if err != nil {
		return err
	}
	if len(differences) > 0 {
		m[container.LabelHash] = ""
	}
	if err := w.hold(ctx, m); err != nil {
		return err
	}
	if err := w.remember(ctx, m); err != nil {
		return err
	}
	replicas.Say(w.r, "%s is taken over", w.taking.Called())
	w.taking = nil // the mark is found from now on
	return nil
}

// adopted adds what was taken over, or is about to be.
func (w *work) adopted(ctx context.Context, all []found) ([]found, error) {
	marks, err := w.marks(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range marks {
		f, there, err := w.inspect(ctx, m.id())
		if err != nil {
			return nil, err
		}
		if !there {
			continue
		}
		image, err := w.inspectImage(ctx, f.Image)
		if err != nil {
			return nil, err
		}
		all = append(all, f.alike(m, image))
	}
	if w.taking != nil {
		all = append(all, *w.taking)
	}
	return all, nil
}

// oddities are the differences of a container that is being taken over which no block could ask for, each once.
func (f found) oddities(differences []event.Difference) []event.Difference {
	for _, d := range f.beyond {
		if !slices.ContainsFunc(differences, func(o event.Difference) bool { return o.Path == d.Path }) {
			differences = append(differences, d)
		}
	}
	return differences
}
