package orchestrator

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// street is a set of environments that use each other: net gives, house uses it, and garden uses both.
var street = map[string]string{
	"net": `template "net" {
  version = "1.0.0"
}
parameter "cidr" {
  type    = string
  default = "10.0.0.0/8"
}
parameter "token" {
  type      = string
  sensitive = true
  default   = "t0k3n-of-the-net"
}
resource "noop" "vpc" {
  inputs = { cidr = param.cidr }
}
resource "noop" "aside" {}
output "vpc" { value = resource.noop.vpc.outputs.inputs.cidr }
output "token" { value = param.token }
`,
	"house": `template "house" {
  version = "1.0.0"
}
parameter "network" {
  type    = string
  default = "net"
}
resource "noop" "wall" {
  inputs = { vpc = environment[param.network].outputs.vpc }
}
resource "noop" "lock" {
  inputs = { token = environment[param.network].outputs.token }
}
resource "noop" "roof" {
  inputs = { on = resource.noop.wall.outputs.inputs.vpc }
}
output "door" { value = "${environment.name}/${resource.noop.wall.outputs.inputs.vpc}" }
`,
	"garden": `template "garden" {
  version = "1.0.0"
}
resource "noop" "fence" {
  inputs = { vpc = environment.net.outputs.vpc, door = environment.house.outputs.door }
}
output "gate" { value = environment.house.outputs.door }
`}

func (r *rig) street() {
	r.Helper()
	r.write(street)
	var err error
	r.catalogue, err = template.OpenCatalogue(filepath.Join(r.dir, "catalogue"), r.kinds(), nil)
	require.NoError(r, err)
}

func (r *rig) write(texts map[string]string) {
	r.Helper()
	for name, text := range texts {
		require.NoError(r, os.MkdirAll(filepath.Join(r.dir, "catalogue", name), 0o755))
		require.NoError(r, os.WriteFile(filepath.Join(r.dir, "catalogue", name, "template.hcl"), []byte(text), 0o644))
	}
}

func (r *rig) make(name, templateName string, parameters ...string) {
	r.Helper()
	answer := r.command(event.EnvironmentCreate, name, event.Create{Templates: []string{templateName}, Parameters: params(parameters...)})
	require.True(r, answer.Accepted, "%v", answer.Error)
}

// resource waits until a resource satisfies the condition.
func (r *rig) resource(name, address string, is func(environment.ResourceRecord) bool) environment.ResourceRecord {
	r.Helper()
	var found environment.ResourceRecord
	require.Eventually(r, func() bool {
		list, _, err := r.store.Resources(r.Context(), name, store.Page{Limit: -1})
		for _, one := range list {
			if one.Address == address {
				found = one
			}
		}
		return err == nil && found.Address != "" && is(found)
	}, patience, 5*time.Millisecond, "%s of %s is %+v", address, name, &found)
	return found
}

func waiting(detail string) func(environment.ResourceRecord) bool {
	return func(one environment.ResourceRecord) bool {
		return one.Step.Reason != nil && one.Step.Reason.Code == environment.BecauseEnvironment && strings.Contains(one.Step.Reason.Detail, detail)
	}
}

func TestEnvironmentsUseEachOther(t *testing.T) {
	r := newRig(t)
	r.street()
	_, stop := r.start()
	r.runner("default")

	r.make("garden", "garden")
	r.make("house", "house")
	r.resource("garden", "garden.noop.fence", waiting(`output "door" of environment "house"`))
	r.resource("house", "house.noop.wall", waiting(`environment "net", which is not there: create it`))
	stop()
	r.start() // another server goes on with them
	r.make("net", "net")
	r.await("garden", environment.Deployed)

	wall := r.resource("house", "house.noop.wall", func(environment.ResourceRecord) bool { return true })
	require.Contains(t, string(wall.Inputs), "10.0.0.0/8")
	lock := r.resource("house", "house.noop.lock", func(environment.ResourceRecord) bool { return true })
	require.NotContains(t, string(lock.Inputs), "t0k3n", "what is sensitive there is sensitive here")
	require.Contains(t, string(lock.Inputs), "$sealed")
	require.Equal(t, []environment.Consumption{{Environment: "net", Output: "token"}}, lock.Consumes)
	require.Equal(t, []environment.Consumption{{Environment: "net", Output: "vpc", Resources: []string{"net.noop.vpc"}}}, wall.Consumes)
	garden, err := r.store.Environment(t.Context(), "garden")
	require.NoError(t, err)
	require.JSONEq(t, `{"gate":"house/10.0.0.0/8"}`, string(garden.Outputs))

	edges, err := r.store.Consumers(t.Context(), "house")
	require.NoError(t, err)
	require.Equal(t, []store.Edge{
		{From: store.Ref{Environment: "garden", Address: "garden.noop.fence"}, To: store.Ref{Environment: "house", Address: "house.noop.wall"}, Kind: store.Consumes, Output: "door"},
		{From: store.Ref{Environment: "garden", Address: "garden.output.gate"}, To: store.Ref{Environment: "house", Address: "house.noop.wall"}, Kind: store.Consumes, Output: "door"},
	}, edges)
	reach, err := r.store.Walk(t.Context(), store.Walk{From: store.Ref{Environment: "net", Address: "net.noop.vpc"}, Direction: store.Dependents})
	require.NoError(t, err)
	require.Len(t, reach.Vertices, 4, "wall, roof, fence and gate: %v", reach.Vertices)

	// A value that changes is seen by the next update of who uses it, and by nobody else.
	require.ElementsMatch(t, []string{"apply net.noop.vpc"}, r.steps("net", r.update("net", event.Update{Parameters: params("cidr", `"10.9.0.0/16"`)})))
	require.Equal(t, []string{"apply house.noop.wall", "apply house.noop.roof"}, r.steps("house", r.update("house", event.Update{})))
	require.Equal(t, []string{"apply garden.noop.fence"}, r.steps("garden", r.update("garden", event.Update{})))
	require.Empty(t, r.steps("garden", r.update("garden", event.Update{})))
	require.JSONEq(t, `{"gate":"house/10.9.0.0/16"}`, string(r.await("garden", environment.Deployed).Outputs))
}

func TestAnOutputThatIsMissing(t *testing.T) {
	r := newRig(t)
	r.street()
	r.write(map[string]string{"lost": "template \"lost\" {\n  version = \"1.0.0\"\n}\nresource \"noop\" \"a\" {\n  inputs = { x = environment.net.outputs.vcp }\n}\n"})
	r.start()
	r.runner("default")
	r.make("net", "net")
	r.await("net", environment.Deployed)
	r.make("lost", "lost")
	require.Equal(t, `environment "net" is deployed and has no output "vcp"; it has: token, vpc`, r.await("lost", environment.Failed).Error.Message)
	answer := r.command(event.EnvironmentCreate, "net2", event.Create{Templates: []string{"house"}, Parameters: params("network", `"net2"`)})
	require.Contains(t, answer.Error.Message, `This environment is called "net2" itself`)
}

func TestEnvironmentsThatWouldUseEachOtherInACircle(t *testing.T) {
	r := newRig(t)
	r.street()
	r.write(map[string]string{"ring": "template \"ring\" {\n  version = \"1.0.0\"\n}\nresource \"noop\" \"a\" {\n  inputs = { x = environment.garden.outputs.gate }\n}\noutput \"vpc\" { value = 1 }\noutput \"token\" { value = 1 }\n"})
	r.start()
	r.make("garden", "garden")
	r.make("house", "house")
	answer := r.command(event.EnvironmentCreate, "net", event.Create{Templates: []string{"ring"}})
	require.False(t, answer.Accepted)
	require.Equal(t, fault.InvalidTemplate, answer.Error.Code)
	require.Contains(t, answer.Error.Message, "in a circle, so none of them could be the first: net -> garden -> net")
	answer = r.command(event.EnvironmentCreate, "other", event.Create{Templates: []string{"ring"}})
	require.True(t, answer.Accepted, "%v", answer.Error)
}

func TestAPlanThatNeedsAnotherEnvironment(t *testing.T) {
	r := newRig(t)
	r.street()
	r.start()
	r.runner("default")
	answer := r.command(event.EnvironmentPlan, "house", event.Proposal{Templates: []string{"house"}})
	require.True(t, answer.Accepted, "%v", answer.Error)
	r.planned("house", answer.Operation)
	entries, err := r.store.Entries(t.Context(), store.Selection{Partition: -1, Environment: "house"})
	require.NoError(t, err)
	require.Contains(t, string(entries[0].Data), `"unknown":{"inputs.vpc":["environment net"]}`)
}

func TestWhatOthersUseIsLeftStanding(t *testing.T) {
	r := newRig(t)
	r.street()
	r.start()
	r.runner("default")
	r.make("net", "net")
	r.make("house", "house")
	r.await("house", environment.Deployed)
	answer := r.command(event.EnvironmentDestroy, "net", event.Destroy{Force: true})
	require.Equal(t, fault.Consumed, answer.Error.Code)
	require.Contains(t, answer.Error.Message, "house (house.noop.lock uses token, house.noop.wall uses vpc)")
	plan := r.command(event.EnvironmentPlan, "net", event.Proposal{Destroy: true})
	require.Len(t, r.planned("net", plan.Operation).Against, 2)

	soon := time.Now().Add(100 * time.Millisecond)
	r.await("net", environment.Deployed)
	require.True(t, r.command(event.EnvironmentSchedule, "net", event.Schedule{DestroyAt: &soon}).Accepted)
	require.Eventually(t, func() bool {
		record, err := r.store.Environment(t.Context(), "net")
		return err == nil && record.DestroyHeld != nil && record.DestroyHeld.Code == fault.Consumed
	}, patience, 5*time.Millisecond)

	r.write(map[string]string{"net": strings.Replace(strings.Replace(street["net"], "1.0.0", "1.1.0", 1), `output "vpc"`, `output "vpn"`, 1)})
	update := event.Update{Templates: []string{"net@1.1.0"}}
	require.Eventually(t, func() bool {
		answer = r.command(event.EnvironmentUpdate, "net", update)
		return answer.Error != nil && answer.Error.Code == fault.Consumed
	}, patience, 100*time.Millisecond)
	require.Contains(t, answer.Error.Message, `environment "net" can't be updated to that, since others use what it puts out: house (house.noop.wall uses vpc)`)

	require.True(t, r.command(event.EnvironmentDestroy, "house", event.Destroy{}).Accepted)
	r.await("net", environment.Destroyed)
}

func TestWhatOthersUseGoesAllTheSame(t *testing.T) {
	r := newRig(t)
	r.street()
	r.start()
	r.runner("default")
	r.make("net", "net")
	r.make("house", "house")
	r.await("house", environment.Deployed)
	require.True(t, r.command(event.EnvironmentDestroy, "net", event.Destroy{DespiteConsumers: true}).Accepted)
	r.await("net", environment.Destroyed)
	answer := r.command(event.EnvironmentUpdate, "house", event.Update{})
	require.True(t, answer.Accepted)
	r.resource("house", "house.noop.wall", waiting(`environment "net", which is not there: create it`))
	r.make("net", "net")
	r.await("house", environment.Deployed)
}
