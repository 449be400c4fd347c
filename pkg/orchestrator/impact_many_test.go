package orchestrator

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/impact"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// town is a template of which many environments are made.
const town = `template "town" {
  version = "VERSION"
}
parameter "name" {
  type    = string
  default = "DEFAULT"
}
resource "noop" "base" {
  inputs = { name = param.name }
}
`

func (r *rig) town(text string) {
	r.Helper()
	r.write(map[string]string{"town": text})
	var err error
	r.catalogue, err = template.OpenCatalogue(filepath.Join(r.dir, "catalogue"), r.kinds(), nil)
	require.NoError(r, err)
}

// pages asks for all of them, and gives the names in the order in which they came.
func pages(r *rig, x *impact.Examiner, q impact.Question) (names []string, counts map[event.Change]int, count int) {
	counts = map[event.Change]int{}
	for whole := -1; ; count++ {
		p, err := x.Of(r.Context(), q)
		require.NoError(r, err)
		if whole < 0 {
			whole = len(p.Effects) + p.Left
		}
		for _, e := range p.Effects {
			require.Nil(r, e.Error)
			names = append(names, e.Environment)
			for change, n := range e.Counts {
				counts[change] += n
			}
		}
		require.Equal(r, whole, len(names)+p.Left, "what was not looked at is said")
		if q.Cursor = p.Next; p.Next == "" {
			return names, counts, count + 1
		}
	}
}

// watched counts how many environments are looked at at once; the first ones wait for each other.
type watched struct {
	store.Store
	now, most atomic.Int64
	together  int64
	met       chan struct{}
	once      sync.Once
}

func (w *watched) Environment(ctx context.Context, name string) (environment.Record, error) {
	n := w.now.Add(1)
	defer w.now.Add(-1)
	if n > w.most.Load() {
		w.most.Store(n)
	}
	if n == w.together {
		w.once.Do(func() { close(w.met) })
	}
	select {
	case <-w.met:
	case <-ctx.Done():
		return environment.Record{}, ctx.Err()
	}
	return w.Store.Environment(ctx, name)
}

func TestImpactOnManyEnvironments(t *testing.T) {
	r := newRig(t)
	r.town(strings.NewReplacer("VERSION", "1.0.0", "DEFAULT", "ulm").Replace(town))
	r.start()
	r.runner("default")
	var want []string
	for i := range 60 {
		name := fmt.Sprintf("town-%02d", i)
		switch {
		case i%3 == 0:
			r.make(name, "town", "name", `"own"`)
		default:
			r.make(name, "town")
		}
		want = append(want, name)
	}
	for _, name := range want {
		r.await(name, environment.Deployed)
	}
	require.True(t, r.command(event.EnvironmentDestroy, want[7], event.Destroy{}).Accepted)
	r.await(want[7], environment.Destroyed)
	want = slices.Delete(want, 7, 8)

	r.town(strings.NewReplacer("VERSION", "1.1.0", "DEFAULT", "basel").Replace(town) + "resource \"noop\" \"more\" {\n}\n")
	edited, err := r.catalogue.Get(r.Context(), "town")
	require.NoError(t, err)
	w := &watched{Store: r.store, together: 3, met: make(chan struct{})}
	x := impact.New(impact.Options{Store: w, Kinds: r.kinds(), Box: r.box, Scratch: filepath.Join(r.dir, "impact"), Places: 3})
	for limit, times := range map[int]int{100: 1, 60: 1, 7: 9} {
		names, counts, n := pages(r, x, impact.Question{Template: edited, Limit: limit})
		require.Equal(t, want, names, "each once, in the order of their names")
		require.Equal(t, map[event.Change]int{event.ChangeCreate: 59, event.ChangeUpdate: 39, event.ChangeNone: 20}, counts)
		require.Equal(t, times, n, "pages of %d", limit)
	}
	require.EqualValues(t, 3, w.most.Load(), "as many at once as there are places")

	names, _, n := pages(r, x, impact.Question{Template: edited, Limit: 100, Within: 1})
	require.Equal(t, want, names)
	require.Greater(t, n, 5, "pages end when the time is up")

	ctx, cancel := context.WithCancel(r.Context())
	cancel()
	_, err = x.Of(ctx, impact.Question{Template: edited, Limit: 100})
	require.Error(t, err)
}
