package templates_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/action"
	"github.com/vivarium-env/vivarium/pkg/executor/terraform"
	"github.com/vivarium-env/vivarium/pkg/template"
	"github.com/vivarium-env/vivarium/test/servers"
)

var openTofu = sync.OnceValues(func() (string, error) { return servers.OpenTofu(context.Background(), os.Stderr) })

// values are what the notes template hands to its modules, without what takes time.
var values = map[string]string{
	"network":  `{"name":"notes","cidr":"10.40.0.0/16","zones":["a","b"]}`,
	"dns":      `{"domain":"notes.example.test","network_id":"network-1"}`,
	"firewall": `{"network_id":"network-1","rules":{"web":{"from":"0.0.0.0/0","port":443}}}`,
	"database": `{"name":"notes","network_id":"network-1","subnet":"10.40.0.0/24","storage_gb":20,"settings":{"max_connections":100}}`,
	"replica":  `{"primary":"10.40.0.10","zone":"a","subnet":"10.40.0.0/24"}`,
	"backup":   `{"database_id":"database-1","hour":3,"keep_days":14}`,
	"service": `{"name":"api","image":"registry.example.test/notes/api:1.4.2","port":8080,"replicas":2,"network_id":"network-1",
		"domain":"inner.notes.example.test","readers":["10.40.0.20"],"secrets":{"database_password":"of-the-owner"}}`,
	"gateway": `{"domain":"notes.example.test","firewall_id":"firewall-1","routes":{"/":"web.inner.notes.example.test:8081"}}`,
}

// wanted are some outputs, as JSON.
var wanted = map[string]map[string]string{
	"network":  {"subnets": `{"a":"10.40.0.0/24","b":"10.40.1.0/24"}`},
	"dns":      {"inner_domain": `"inner.notes.example.test"`},
	"firewall": {"rules": `["web: tcp/443 from 0.0.0.0/0"]`},
	"database": {"host": `"10.40.0.10"`, "port": `5432`, "user": `"notes"`},
	"replica":  {"host": `"10.40.0.20"`},
	"backup":   {"schedule": `"0 3 * * *"`},
	"service":  {"address": `"api.inner.notes.example.test:8080"`},
	"gateway":  {"routes": `{"/":"web.inner.notes.example.test:8081"}`},
}

func request(t *testing.T, b *template.Block, inputs string) (executor.Request, *[]string) {
	t.Helper()
	bundle, err := filepath.Abs(filepath.Join("notes", b.Bundle))
	require.NoError(t, err)
	var mu sync.Mutex
	lines := &[]string{}
	return executor.Request{
		TaskRef: event.TaskRef{Environment: "notes", Operation: "op-1", Step: b.Key(), Attempt: 1, Epoch: 1},
		Inputs:  json.RawMessage(inputs), Bundle: bundle, WorkDir: t.TempDir(),
		Log: func(_, line string) {
			mu.Lock()
			defer mu.Unlock()
			*lines = append(*lines, line)
		},
	}, lines
}

func notes(t *testing.T) *template.Template {
	t.Helper()
	compiled, err := template.Compile(os.DirFS("notes"), "notes", kinds())
	require.NoError(t, err)
	return compiled
}

func TestModulesOfNotes(t *testing.T) {
	binary, err := openTofu()
	require.NoError(t, err)
	e := terraform.New(terraform.Options{Binary: binary, Environment: os.Environ()})
	tried := 0
	for _, b := range notes(t).Blocks() {
		if b.Type != environment.ResourceNode {
			continue
		}
		tried++
		t.Run(b.Name, func(t *testing.T) {
			require.Contains(t, values, b.Name)
			r, lines := request(t, b, `{"source":"./modules/`+b.Name+`","inputs":`+values[b.Name]+`}`)
			var state []byte
			r.SaveState = func(_ context.Context, data []byte) error { state = data; return nil }
			outputs, err := e.Apply(t.Context(), r)
			require.NoError(t, err)
			require.NotEmpty(t, wanted[b.Name])
			for name, want := range wanted[b.Name] {
				require.JSONEq(t, want, string(outputs[name].Value))
			}
			require.Contains(t, strings.Join(*lines, "\n"), "is ready", "what is made says so in the log")
			if b.Name == "database" {
				require.True(t, outputs["password"].Sensitive)
				require.Len(t, outputs["password"].Value, 24+len(`""`))
			}
			r.Attempt++
			r.State = state
			require.NoError(t, e.Destroy(t.Context(), r))
			require.Empty(t, state)
		})
	}
	require.Len(t, values, tried, "every module is tried")
}

func TestActionsOfNotes(t *testing.T) {
	e := action.New(action.Options{CacheDir: t.TempDir(), Environment: []string{"PATH=/usr/bin:/bin"}})
	compiled := notes(t)

	r, _ := request(t, compiled.Block("action", "action", "migrate"), `{"command":["migrate","up"],"files":"./migrations",
		"app":{"name":"migrate","url":"./apps/migrate"},
		"environment":{"DATABASE_URL":"postgres://10.40.0.10:5432/notes","DATABASE_USER":"notes","DATABASE_PASSWORD":"secret"}}`)
	outputs, err := e.Apply(t.Context(), r)
	require.NoError(t, err)
	require.JSONEq(t, `{"applied":3,"version":"0003"}`, string(outputs["json"].Value))

	verify := func(routes string) error {
		r, _ := request(t, compiled.Block("action", "action", "verify"),
			`{"command":["verify"],"app":{"name":"verify","url":"./apps/verify"},"environment":{"ROUTES":"`+routes+`"}}`)
		outputs, err = e.Apply(t.Context(), r)
		return err
	}
	require.NoError(t, verify(`/ web.inner:8081\n/api api.inner:8080`))
	require.Contains(t, string(outputs["stdout"].Value), "2 routes lead to a service")
	require.ErrorContains(t, verify(`/ nowhere`), `the route / leads to "nowhere"`)
}
