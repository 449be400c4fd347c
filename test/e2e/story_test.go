package e2e

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/test/servers"
)

// An environment of all three: what OpenTofu makes of the title is known only afterwards, and goes into Consul; the container
// has no part in that. Its updates are approved by the publisher; what drifts is healed.
var story = map[string]string{
	"template.hcl": `template "story" {
  version = "1.0.0"
}
parameter "title" { type = string }
parameter "file" { type = string }
approval {
  for     = ["update"]
  by      = ["e2e"]
  expires = "1h"
}
drift {
  interval = "2s"
  policy   = "heal"
}
resource "terraform" "base" {
  source = "./base"
  inputs = { title = param.title, file = param.file }
}
resource "consul_kv" "settings" {
  prefix = "environments/${environment.name}"
  keys   = { title = resource.terraform.base.outputs.title, longest = "500" }
}
resource "container" "api" {
  image = "gated:1"
  pull  = "never"
  env   = { SETTINGS = "environments/${environment.name}" }
}
status "web" {
  url      = "http://${resource.container.api.outputs.addresses[0]}:8080/health"
  interval = "200ms"
}
`,
	"base/main.tf": `variable "title" { type = string }
variable "file" { type = string }
resource "terraform_data" "file" {
  input = var.file
  provisioner "local-exec" {
    command = "echo here > '${self.input}'"
  }
  provisioner "local-exec" {
    when    = destroy
    command = "rm '${self.input}'"
  }
}
resource "terraform_data" "title" { input = var.title }
output "title" { value = terraform_data.title.output }
`}

// stage is where the story happens: a server without a runner, a runner, and the world as others see it.
type stage struct {
	t         *testing.T
	server    *instance
	publisher *publisher
	consul    *api.KV
	docker    *client.Client
	file      string // that OpenTofu makes
	work      string // the runner's folder
}

func newStage(t *testing.T) *stage {
	docker, consul, broker := servers.SharedDocker(t), servers.SharedConsul(t), rabbit(t)
	require.NoError(t, docker.Image(t.Context(), "gated:1", servers.SampleApp))
	engine, err := docker.Client()
	require.NoError(t, err)
	t.Cleanup(func() { _ = engine.Close() })
	keys, err := api.NewClient(&api.Config{Address: consul.Address()})
	require.NoError(t, err)
	t.Setenv("VIVARIUM_DESTROY_WARNINGS", "8s")
	s := &stage{t: t, consul: keys.KV(), docker: engine, file: filepath.Join(t.TempDir(), "made"), work: t.TempDir(),
		server: server(t, "--primary", "--bus", broker.URL(), "--no-runner", "--catalogue", writeCatalogue(t, story))}
	s.publisher = newPublisher(t, broker.URL())
	t.Setenv("DOCKER_HOST", docker.Host())
	t.Setenv("CONSUL_HTTP_ADDR", consul.Address())
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	background(t, ctx, "runner", "--pool", "default", "--bus", broker.URL(), "--name", "hand", "--work-dir", s.work)
	t.Cleanup(cancel)
	return s
}

func (s *stage) cli(args ...string) string {
	s.t.Helper()
	out, err := s.server.cli(args...)
	require.NoError(s.t, err)
	return out
}

// key of the environment, "" when it is not there.
func (s *stage) key(name string) string {
	s.t.Helper()
	pair, _, err := s.consul.Get("environments/one/"+name, nil)
	require.NoError(s.t, err)
	if pair == nil {
		return ""
	}
	return string(pair.Value)
}

func (s *stage) containers() int {
	s.t.Helper()
	list, err := s.docker.ContainerList(s.t.Context(), client.ContainerListOptions{All: true,
		Filters: client.Filters{}.Add("label", "vivarium.environment=one")})
	require.NoError(s.t, err)
	return len(list.Items)
}

// TestAnEnvironmentLives from the first day to the last: created, changed by a plan that somebody else approves, damaged by hand
// and healed by itself, and destroyed when its lifetime ends, of which its journal tells.
func TestAnEnvironmentLives(t *testing.T) {
	s := newStage(t)
	s.cli("env", "create", "one", "--template", "story", "--param", "title=Notes", "--param", "file="+s.file, "--wait")
	require.Equal(t, "Notes", s.key("title"))
	require.Equal(t, 1, s.containers())
	require.FileExists(t, s.file)

	s.update()
	s.damage()
	s.end()
	s.tells()
}

func (s *stage) update() {
	plan := s.cli("env", "plan", "one", "--param", "title=Board")
	require.Contains(s.t, plan, "title: Notes -> Board")
	require.Contains(s.t, plan, "terraform_data.title")
	require.Contains(s.t, plan, "known after story.terraform.base")
	require.Contains(s.t, plan, "0 to create, 1 to update, 0 to replace, 0 to destroy, 1 unknown, 1 unchanged", "the status endpoint is nothing to plan")
	operation := regexp.MustCompile(`env apply one (op-\d+)`).FindStringSubmatch(plan)
	require.Len(s.t, operation, 2, plan)

	s.cli("env", "apply", "one", operation[1])
	s.server.awaitStatus("one", "awaiting-approval")
	_, err := s.server.cli("env", "approve", "one")
	require.Error(s.t, err, "the publisher alone may")
	require.Equal(s.t, "Notes", s.key("title"))
	answer := s.publisher.command("yes", "operation.approve", "one", `{"comment":"the board wants it"}`)
	require.True(s.t, answer.Accepted, "%+v", answer)
	s.server.awaitStatus("one", "deployed")
	require.Equal(s.t, "Board", s.key("title"))
}

// damage is done by somebody who knows nothing of us.
func (s *stage) damage() {
	_, err := s.consul.Delete("environments/one/title", nil)
	require.NoError(s.t, err)
	require.Eventually(s.t, func() bool { return s.key("title") == "Board" }, patience, 100*time.Millisecond, "nobody has healed it")
	s.server.awaitStatus("one", "deployed")
}

func (s *stage) end() {
	s.cli("env", "schedule", "one", "--lifetime", "9s")
	s.publisher.await("one", "vivarium.environment.destruction-ahead.v1")
	s.publisher.await("one", "vivarium.environment.destroyed.v1")
	keys, _, err := s.consul.Keys("environments/one", "", nil)
	require.NoError(s.t, err)
	require.Empty(s.t, keys)
	require.Zero(s.t, s.containers())
	require.NoFileExists(s.t, s.file)
	notInAnyFile(s.t, s.work, s.file) // no state of OpenTofu, no plan
	require.NotContains(s.t, s.cli("env", "orphans"), "one ")
}

// tells: these lines are in the journal in this order, whatever else there is.
func (s *stage) tells() {
	host, err := os.Hostname()
	require.NoError(s.t, err)
	cli := `/cli/` + regexp.QuoteMeta(host) + `/\S+`
	journal := s.cli("env", "journal", "one")
	lines := strings.Split(journal, "\n")
	for _, want := range []string{
		`environment\.created +created from story@1\.0\.0, 4 steps, asked for by ` + cli,
		`story\.terraform\.base: to be applied`,
		`story\.consul_kv\.settings: applied`,
		`all is there, as it is to be`,
		`it is being found out what an update, or a create, would change, asked for by ` + cli,
		`planned: 1 to update, 1 unchanged, 1 unknown; it can be carried out until `,
		`the plan of op-2 is to be carried out, asked for by ` + cli,
		`the update: 1 to update, 1 unknown; it waits for approval by e2e, until `,
		`operation\.approve was refused, asked for by ` + cli + `.* it may be approved by e2e`,
		`approved by e2e: the board wants it`,
		`updated, to story@1\.0\.0, title: Notes -> Board, asked for by ` + cli + `, as planned by op-2`,
		`story\.terraform\.base: applied`,
		`story\.consul_kv\.settings: would update it, environments/one/title: Notes -> Board`,
		`story\.consul_kv\.settings: applied`,
		`all is there, as it is to be`,
		`story\.consul_kv\.settings is not as it was left, no more environments/one/title = Board \(seen without anybody asking\)`,
		`healed by itself, as its drift policy says: applied again is story\.consul_kv\.settings`,
		`story\.consul_kv\.settings: applied`,
		`all is there, as it is to be`,
		`destroyed by itself at .*, asked for by ` + cli,
		`warning: destroyed by itself at .*, in 8s or less`,
		`destroyed, step by step, by itself: its time had come`,
		`story\.terraform\.base: the server has forgotten its state`,
		`story\.terraform\.base: destroyed, and found gone`,
		`nothing is left, as was proven of every resource`,
	} {
		at := regexp.MustCompile(want)
		for len(lines) > 0 && !at.MatchString(lines[0]) {
			lines = lines[1:]
		}
		require.NotEmpty(s.t, lines, "%s, at its place, is missing in\n%s", want, journal)
		lines = lines[1:]
	}
	s.t.Logf("the journal tells:\n%s", journal)
}
