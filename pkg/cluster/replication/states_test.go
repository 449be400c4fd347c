package replication_test

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// lives are lives of environments after which states are kept under other names than those of steps, or without one; their names end in what is given.
func lives(s *side, of string) {
	retained := node("a")
	retained.Retain = true
	moved := []environment.Move{{From: "a", To: "d"}}

	s.create("moved" + of)
	for _, step := range []string{"a", "b", "c"} {
		s.finish("moved"+of, step)
	}
	s.update("moved"+of, moved, node("d"), node("b", "d"))
	s.finish("moved"+of, "d")
	s.finish("moved"+of, "b")
	s.finish("moved"+of, "c") // destroyed, and forgotten

	s.make("left"+of, retained, node("b", "a"))
	s.finish("left"+of, "a")
	s.finish("left"+of, "b")
	s.takeDown("left"+of, "b")

	s.make("again"+of, retained, node("b", "a"))
	s.finish("again"+of, "a")
	s.finish("again"+of, "b")
	s.takeDown("again"+of, "b")
	s.make("again"+of, node("a"), node("b", "a"))

	s.make("planned"+of, node("a"))
	s.finish("planned"+of, "a")
	s.plan("planned" + of)
	s.plan("planned" + of)
	s.update("planned"+of, nil, node("a")) // both plans are void
	s.finish("planned"+of, "a")
	s.plan("planned" + of)
	s.commitAll()
}

// plan makes one of an update, for which the executor of "a" saves something.
func (s *side) plan(name string) {
	s.Helper()
	s.text += "?"
	s.decide(name, environment.PlanInput{CommandMeta: environment.CommandMeta{CommandID: "plan" + s.now.String()},
		Resolved: environment.Resolved{Nodes: []environment.Node{node("a")}}}, nil)
	ref := s.ref(name, "a")
	saved := "saved for " + ref.Operation
	s.decide(name, environment.ResultInput{Result: event.Result{TaskRef: ref, Runner: "r/1", SavedPlan: saved,
		Plan: &event.Plan{Change: event.ChangeUpdate}}}, func(b *store.Batch) {
		sum := sha256.Sum256([]byte(saved))
		s.keep(b, store.StepState{Environment: name, Step: environment.SavedPlan{Operation: ref.Operation}.Place("a"), Hash: hex.EncodeToString(sum[:]), Data: []byte(saved)})
	})
}

// TestStatesOfWhatIsRenamedLeftAndPlanned: a secondary has the states that the primary has, under their names, and no others; whether
// they come one by one or all at once.
func TestStatesOfWhatIsRenamedLeftAndPlanned(t *testing.T) {
	t.Parallel()
	p, to := newSide(t, fresh(t)), fresh(t)
	p.cuts = 0
	x := serve(t, p.store)
	f := follow(t, to, x.address())
	reaches(t, f, live)
	lives(p, "")
	same(t, p.store, to)
	reaches(t, f, whole)
	kept := func(s store.Store, name, step string) bool {
		_, err := s.State(t.Context(), name, step)
		return err == nil
	}
	late := fresh(t)
	g := follow(t, late, x.address(), func(o *replication.Options) { o.Self.Server = "late" })
	same(t, p.store, late)
	reaches(t, g, whole)
	for name, s := range map[string]store.Store{"the primary": p.store, "who followed": to, "who caught up": late} {
		require.True(t, kept(s, "moved", "a"), name)
		require.False(t, kept(s, "moved", "d"), name)
		require.False(t, kept(s, "moved", "c"), name)
		require.True(t, kept(s, "left", "a"), name)
		require.False(t, kept(s, "left", "b"), name)
		require.True(t, kept(s, "again", "a"), name)
		require.False(t, kept(s, "again", "b"), name)
		require.False(t, kept(s, "planned", "plan/op-2/a"), name)
		require.True(t, kept(s, "planned", "plan/op-5/a"), name)
	}
	require.NoError(t, g.Stop(t.Context()))
	g = follow(t, late, x.address(), func(o *replication.Options) { o.Self.Server = "late" })
	reaches(t, g, whole)
}
