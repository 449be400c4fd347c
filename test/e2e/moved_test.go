package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/test/servers"
)

const movingModule = `variable "text" { type = string }
resource "terraform_data" "thing" { input = var.text }
output "id" { value = terraform_data.thing.id }
`

// moving are versions of one template, in which things are called otherwise from one to the next.
var moving = []string{`template "moving" { version = "1.0.0" }
parameter "text" { default = "first" }
resource "terraform" "api" {
  source = "./modules/thing"
  inputs = { text = param.text }
}
resource "consul_kv" "settings" {
  prefix = "moving/${environment.name}"
  keys   = { text = param.text, id = resource.terraform.api.outputs.id }
}
`, `template "moving" { version = "2.0.0" }
parameter "text" { default = "first" }
resource "terraform" "web" {
  for_each = toset(["eu"])
  source   = "./modules/thing"
  inputs   = { text = param.text }
}
resource "consul_kv" "options" {
  prefix = "moving/${environment.name}"
  keys   = { text = param.text, id = resource.terraform.web["eu"].outputs.id }
}
moved {
  from = resource.terraform.api
  to   = resource.terraform.web["eu"]
}
moved {
  from = resource.consul_kv.settings
  to   = resource.consul_kv.options
}
`, `template "moving" { version = "3.0.0" }
parameter "text" { default = "first" }
resource "terraform" "web" {
  for_each = toset(["eu"])
  source   = "./modules/thing"
  inputs   = { text = param.text }
}
resource "terraform" "api" {
  source = "./modules/thing"
  inputs = { text = "another" }
}
resource "consul_kv" "options" {
  prefix = "moving/${environment.name}"
  keys   = { text = param.text, id = resource.terraform.web["eu"].outputs.id }
}
`}

// movingCatalogue has all of them.
func movingCatalogue(t *testing.T) string {
	dir := t.TempDir()
	for version, text := range moving {
		at := filepath.Join(dir, "v"+string(rune('1'+version)))
		require.NoError(t, os.MkdirAll(filepath.Join(at, "modules/thing"), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(at, "modules/thing/main.tf"), []byte(movingModule), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(at, "template.hcl"), []byte(text), 0o600))
	}
	return dir
}

// TestWhatIsRenamedStaysWhatItIs with OpenTofu and Consul: nothing is destroyed, nothing is made anew, and who takes the
// freed address is somebody else.
func TestWhatIsRenamedStaysWhatItIs(t *testing.T) {
	consul := servers.SharedConsul(t)
	t.Setenv("CONSUL_HTTP_ADDR", consul.Address())
	dir := movingCatalogue(t)
	s := server(t, "--primary", "--catalogue", dir)
	c, err := api.NewClient(&api.Config{Address: consul.Address()})
	require.NoError(t, err)
	name := "renamed"
	key := func(what string) *api.KVPair {
		t.Helper()
		pair, _, err := c.KV().Get("moving/"+name+"/"+what, nil)
		require.NoError(t, err)
		require.NotNil(t, pair)
		return pair
	}
	run := func(args ...string) string {
		t.Helper()
		out, err := s.cli(append([]string{"env"}, args...)...)
		require.NoError(t, err)
		return out
	}
	run("create", name, "--template", "moving@1.0.0", "--wait")
	id, made := string(key("id").Value), key("text").CreateIndex

	shown := run("plan", name, "--template", "moving@2.0.0")
	require.Contains(t, shown, `moving.terraform.web["eu"]  moved from moving.terraform.api`)
	require.Contains(t, shown, "0 to create, 0 to update, 0 to replace, 0 to destroy, 0 unknown, 2 unchanged")
	before := len(s.journal(name))
	run("update", name, "--template", "moving@2.0.0", "--wait")
	for _, e := range s.journal(name)[before:] {
		require.False(t, strings.HasPrefix(e.Type, "step."), "a rename runs nothing: %s %s", e.Type, e.Data)
	}

	run("update", name, "--param", "text=second", "--wait")
	require.Equal(t, "second", string(key("text").Value))
	require.Equal(t, made, key("text").CreateIndex, "the key was written over, not made anew")
	require.Equal(t, id, string(key("id").Value), "the module's resource is the same")
	require.Contains(t, run("logs", name, "--step", `moving.terraform.web["eu"]`), "0 added, 1 changed, 0 destroyed")
	require.Contains(t, run("logs", name, "--operation", "op-1", "--step", `moving.terraform.web["eu"]`), "1 added, 0 changed, 0 destroyed", "what it printed under its old name is found too")

	run("update", name, "--template", "moving@3.0.0", "--wait")
	identities := map[string]string{}
	var resources struct {
		Items []struct{ Address, Identity string }
	}
	s.get("environments/"+name+"/resources", &resources)
	for _, r := range resources.Items {
		identities[r.Address] = r.Identity
	}
	require.Equal(t, map[string]string{"moving.terraform.api": "moving.terraform.api~2", "moving.consul_kv.options": "moving.consul_kv.settings",
		`moving.terraform.web["eu"]`: "moving.terraform.api"}, identities)
	require.Equal(t, id, string(key("id").Value))
	require.Contains(t, run("logs", name, "--step", "moving.terraform.api"), "1 added, 0 changed, 0 destroyed")

	s.kill()
	s.start()
	run("check", name, "--wait")
	var record struct{ Drifted int }
	s.get("environments/"+name, &record)
	require.Zero(t, record.Drifted)
	run("destroy", name, "--yes", "--wait")
	left, _, err := c.KV().Keys("moving/"+name, "", nil)
	require.NoError(t, err)
	require.Empty(t, left)
	verify, err := json.Marshal(s.journal(name))
	require.NoError(t, err)
	require.Equal(t, 3, strings.Count(string(verify), `"verb":"destroy"`), "each was destroyed once, at the end")
}
