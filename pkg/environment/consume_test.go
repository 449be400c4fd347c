package environment

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// street is an environment that uses another one, which the test moves by hand.
type street struct {
	*testing.T
	*State
	decider *Decider
	other   map[string]Record
	users   []Consumer
	now     time.Time
	facts   []Fact
	plan    echo
}

func newStreet(t *testing.T, nodes ...Node) *street {
	s := &street{T: t, State: NewState("street"), decider: NewDecider(Policy{}), other: map[string]Record{}, now: time.Unix(1_700_000_000, 0).UTC(),
		plan: echo{nodes: map[string]Node{}}}
	for i := range nodes {
		nodes[i].Template, nodes[i].Executor = "t", "x"
		if nodes[i].Type == StatusNode {
			nodes[i].Executor = ServerExecutor
		}
		s.plan.nodes[nodes[i].Address] = nodes[i]
	}
	require.True(t, s.decide(CreateInput{CommandMeta: CommandMeta{CommandID: "create"}, Resolved: Resolved{Nodes: nodes}}).Accepted)
	return s
}

func (s *street) decide(in Input) *event.Answer {
	around := Surroundings{Resolver: s.plan, Consumed: func(name, output string) Supply {
		if r, there := s.other[name]; there {
			return r.Supply(output)
		}
		return Supply{}
	}, Uses: func(string) []Consumer { return s.users }}
	s.now = s.now.Add(time.Second)
	d := s.decider.Decide(s.State, around, in, s.now)
	s.facts = append(s.facts, d.Facts...)
	return d.Answer
}

func (s *street) reason(address string) *Reason { return s.State.reason(s.Step(address)) }

func (s *street) finish(address string) {
	s.Helper()
	n := s.Step(address)
	require.Equal(s, StateWaiting, n.State)
	s.decide(ResultInput{event.Result{TaskRef: event.TaskRef{Environment: "street", Operation: s.Operation.ID, Step: address, Attempt: n.Attempt},
		Runner: "r/1", StartedAt: s.now, FinishedAt: s.now, Outputs: json.RawMessage(`{"a":1}`)}})
}

func (s *street) held() (list []Held) {
	for _, f := range s.facts {
		if h, is := f.Body.(Held); is {
			list = append(list, h)
		}
	}
	return list
}

func sharing(outputs string) Record {
	return Record{Name: "shared", Status: Deployed, Outputs: json.RawMessage(outputs), Sources: map[string][]string{"vpc": {"net.x.vpc"}}}
}

var usesVPC = []Consumption{{Environment: "shared", Output: "vpc"}}

func TestAStepWaitsForAnotherEnvironment(t *testing.T) {
	s := newStreet(t, Node{Address: "t.x.a", Type: ResourceNode, Consumes: usesVPC, Expiry: time.Minute}, Node{Address: "t.x.b", Type: ResourceNode, Consumes: usesVPC},
		Node{Address: "t.x.c", Type: ResourceNode}, Node{Address: "t.output.vpc", Type: StatusNode, Consumes: usesVPC})
	require.Equal(t, &Reason{Code: BecauseEnvironment, Detail: `needs output "vpc" of environment "shared", which is not there: create it`}, s.reason("t.x.a"))
	require.Equal(t, StateWaiting, s.Step("t.x.c").State)
	require.Len(t, s.held(), 1, "once for both")

	for range 3 {
		s.decide(TickInput{})
	}
	require.Len(t, s.held(), 1, "and not again while nothing has changed")
	s.finish("t.x.c")
	s.other["shared"] = Record{Name: "shared", Status: Deploying}
	s.now = s.now.Add(time.Hour)
	s.decide(TickInput{})
	require.Equal(t, `needs output "vpc" of environment "shared", which is deploying: it goes on when that is deployed`, s.reason("t.x.a").Detail)
	require.Equal(t, StateQueued, s.Step("t.x.a").State, "waiting for another environment is not waiting for a runner")

	s.other["shared"] = sharing(`{"vpc":"v-1"}`)
	s.decide(TickInput{})
	require.Contains(t, string(s.Step("t.x.a").Inputs), "v-1")
	require.Equal(t, []Consumption{{Environment: "shared", Output: "vpc", Resources: []string{"net.x.vpc"}}}, s.Step("t.x.b").Consumes)
	require.Empty(t, s.Operation.Holds)

	s.finish("t.x.a")
	s.other["shared"] = Record{Name: "shared", Status: Destroying}
	s.finish("t.x.b")
	require.Equal(t, Validating, s.Status, "the output of this environment waits too")
	require.Equal(t, BecauseEnvironment, s.reason("t.output.vpc").Code)
	s.other["shared"] = sharing(`{"vpc":"v-2"}`)
	s.decide(TickInput{})
	require.Equal(t, Deployed, s.Status)
	require.Nil(t, s.healthSummary(), "there is nothing to watch")
}

func TestAnOutputThatADeployedEnvironmentDoesNotHave(t *testing.T) {
	s := newStreet(t, Node{Address: "t.x.a", Type: ResourceNode, Consumes: usesVPC})
	s.other["shared"] = sharing(`{"subnet":"s","zone":"z"}`)
	s.decide(TickInput{})
	require.Equal(t, Failed, s.Status)
	require.Equal(t, fault.InputsUnresolved, s.Error.Code)
	require.Equal(t, `environment "shared" is deployed and has no output "vpc"; it has: subnet, zone`, s.Error.Message)
}

func TestAnUpdateSeesWhatAnotherEnvironmentHasChanged(t *testing.T) {
	nodes := []Node{{Address: "t.x.a", Type: ResourceNode, Consumes: usesVPC}}
	s := newStreet(t, nodes...)
	s.other["shared"] = sharing(`{"vpc":"v-1","more":1}`)
	s.decide(TickInput{})
	s.finish("t.x.a")
	require.Equal(t, Deployed, s.Status)
	update := func(id string) {
		require.True(t, s.decide(UpdateInput{CommandMeta: CommandMeta{CommandID: id}, Resolved: Resolved{Nodes: nodes}}).Accepted)
	}
	s.other["shared"] = sharing(`{"vpc":"v-1","more":2}`)
	update("same")
	require.Equal(t, Deployed, s.Status)
	require.Equal(t, []string{"net.x.vpc"}, s.Step("t.x.a").Consumes[0].Resources, "that is known still")

	s.other["shared"] = Record{Name: "shared", Status: Deploying, Outputs: json.RawMessage(`{"vpc":"v-1"}`)}
	update("unsettled")
	require.Equal(t, BecauseEnvironment, s.reason("t.x.a").Code, "what is being changed may come out otherwise")
	s.other["shared"] = sharing(`{"vpc":"v-1"}`)
	s.decide(TickInput{})
	require.Equal(t, Deployed, s.Status, "nothing had to run")

	s.other["shared"] = sharing(`{"vpc":"v-2"}`)
	update("changed")
	require.Contains(t, string(s.Step("t.x.a").Inputs), "v-2")
	s.finish("t.x.a")

	delete(s.other, "shared")
	s.decide(PlanInput{CommandMeta: CommandMeta{CommandID: "plan"}, Resolved: Resolved{Nodes: nodes}})
	require.Equal(t, map[string][]string{"given": {"environment shared"}}, s.Step("t.x.a").Unknown)
}

func TestADestroyByForceWaitsForNoOtherEnvironment(t *testing.T) {
	nodes := []Node{{Address: "t.x.a", Type: ResourceNode},
		{Address: "t.action.bye", Type: ActionNode, RunOn: []Occasion{OnDestroy}, Consumes: usesVPC, DependsOn: []string{"t.x.a"}}}
	s := newStreet(t, nodes...)
	s.finish("t.x.a")
	s.decide(DestroyInput{CommandMeta: CommandMeta{CommandID: "destroy"}})
	require.Equal(t, BecauseEnvironment, s.reason("t.action.bye").Code)
	s.decide(CancelInput{CommandMeta: CommandMeta{CommandID: "cancel"}})
	s.decide(DestroyInput{CommandMeta: CommandMeta{CommandID: "force"}, Destroy: event.Destroy{Force: true}})
	require.Equal(t, StateError, s.Step("t.action.bye").State)
	s.finish("t.x.a")
	require.Equal(t, DestroyFailed, s.Status)
}

func TestWhatOthersUseIsNotDestroyed(t *testing.T) {
	s := newStreet(t, Node{Address: "t.x.a", Type: ResourceNode})
	s.finish("t.x.a")
	s.users = []Consumer{{"garden", "g.noop.fence", "door"}, {"garden", "g.noop.fence", "vpc"}, {"house", "h.noop.wall", "vpc"}}
	said := `environment "street" can't be destroyed, since others use what it puts out: garden (g.noop.fence uses door, g.noop.fence uses vpc); ` +
		`house (h.noop.wall uses vpc); see to those before, or send environment.update or environment.destroy with despite_consumers`
	for _, force := range []bool{false, true} {
		answer := s.decide(DestroyInput{CommandMeta: CommandMeta{CommandID: "d" + map[bool]string{true: "1"}[force]}, Destroy: event.Destroy{Force: force}})
		require.False(t, answer.Accepted, "force is about this environment's own resources")
		require.Equal(t, fault.Consumed, answer.Error.Code)
		require.Equal(t, said, answer.Error.Message)
	}
	s.decide(PlanInput{CommandMeta: CommandMeta{CommandID: "plan"}, Proposal: event.Proposal{Destroy: true}})
	require.Equal(t, s.users, s.Operation.Plan.Against)
	s.finish("t.x.a")

	at := s.now.Add(time.Minute)
	s.decide(ScheduleInput{CommandMeta: CommandMeta{CommandID: "at"}, Schedule: event.Schedule{DestroyAt: &at}})
	s.now = at
	held := func() (n int) {
		for _, f := range s.facts {
			n += count(f.Body.Type() == DestructionHeld{}.Type())
		}
		return n
	}
	for range 3 {
		require.True(t, s.decider.Imminent(s.State, s.now), "it is asked again")
		s.decide(TickInput{})
	}
	require.Equal(t, 1, held())
	require.Equal(t, said, s.DestroyHeld.Message)
	s.users = s.users[2:]
	s.decide(TickInput{})
	require.Contains(t, s.DestroyHeld.Message, "puts out: house")
	require.Equal(t, 2, held())
	s.users = nil
	s.decide(TickInput{})
	require.Equal(t, Destroying, s.Status)
	require.Nil(t, s.DestroyHeld)
}

func TestAnUpdateDoesNotTakeAwayWhatOthersUse(t *testing.T) {
	nodes := []Node{{Address: "t.x.a", Type: ResourceNode}}
	s := newStreet(t, nodes...)
	s.finish("t.x.a")
	s.Outputs = json.RawMessage(`{"vpc":1,"door":2}`)
	s.users = []Consumer{{"garden", "g.noop.fence", "door"}, {"garden", "g.noop.fence", "never"}}
	update := func(id string, despite bool, outputs ...string) *event.Answer {
		in := UpdateInput{CommandMeta: CommandMeta{CommandID: id}, Update: event.Update{DespiteConsumers: despite}, Resolved: Resolved{Nodes: nodes, Sources: map[string][]string{}}}
		for _, name := range outputs {
			in.Sources[name] = nil
		}
		return s.decide(in)
	}
	answer := update("u1", false, "vpc")
	require.Equal(t, fault.Consumed, answer.Error.Code)
	require.Contains(t, answer.Error.Message, "garden (g.noop.fence uses door)")
	s.decide(PlanInput{CommandMeta: CommandMeta{CommandID: "plan"}, Resolved: Resolved{Nodes: nodes, Sources: map[string][]string{}}})
	require.Equal(t, s.users[:1], s.Operation.Plan.Against)
	require.True(t, update("u2", false, "door").Accepted, "nobody uses vpc")
	s.Outputs = json.RawMessage(`{"door":2}`)
	require.True(t, update("u3", true).Accepted)
}

// TestWhatIsUnchangedComesFromElsewhere: the value is the same, and another resource is behind it now.
func TestWhatIsUnchangedComesFromElsewhere(t *testing.T) {
	nodes := []Node{{Address: "t.x.b", Type: ResourceNode}, {Address: "t.x.a", Type: ResourceNode, DependsOn: []string{"t.x.b"}, Consumes: usesVPC}}
	s := newStreet(t, nodes...)
	s.other["shared"] = sharing(`{"vpc":"v-1"}`)
	s.decide(TickInput{})
	s.finish("t.x.b")
	s.finish("t.x.a")
	require.Equal(t, Deployed, s.Status)

	moved := sharing(`{"vpc":"v-1"}`)
	moved.Sources = map[string][]string{"vpc": {"net.x.other"}}
	s.other["shared"] = moved
	nodes[0].Description = "another one"
	s.plan.nodes["t.x.b"] = nodes[0]
	require.True(t, s.decide(UpdateInput{CommandMeta: CommandMeta{CommandID: "update"}, Resolved: Resolved{Nodes: nodes}}).Accepted)
	s.finish("t.x.b")
	require.Equal(t, Deployed, s.Status)
	require.True(t, slices.ContainsFunc(s.facts, func(f Fact) bool { return f.Body.Type() == StepUnchanged{}.Type() }))
	require.Equal(t, []string{"net.x.other"}, s.Step("t.x.a").Consumes[0].Resources)
}
