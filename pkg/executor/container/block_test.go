package container

import (
	"encoding/json"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/template"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const complete = `
template "t" { version = "1.0.0" }
parameter "password" {
  type      = string
  sensitive = true
}
resource "container" "db" { image = "db:1" }
resource "container" "api" {
  image        = "api:1"
  command      = ["serve"]
  entrypoint   = ["/api"]
  env          = { DB = resource.container.db.outputs.addresses[0], PASSWORD = param.password }
  files        = { "/etc/api.json" = "{}" }
  user         = "1000"
  workdir      = "/srv"
  replicas     = 2
  pull         = "always"
  restart      = "on-failure"
  networks     = ["${environment.name}-back"]
  labels       = { team = "notes" }
  stop_timeout = "5s"
  port { container = 8080 }
  port {
    container = 53
    protocol  = "udp"
  }
  volume {
    name = "data"
    path = "/data"
    keep = true
  }
  limits {
    cpu    = 0.5
    memory = "256Mi"
  }
  health {
    http {
      path = "/health"
      port = 8080
    }
    interval = "1s"
  }
  expose {
    host = "${environment.name}.example.test"
    port = 8080
    tls  = true
  }
  update { health_timeout = "30s" }
}
output "url" { value = resource.container.api.outputs.url }
`

func compile(source string) error {
	_, err := template.Compile(fstest.MapFS{"template.hcl": {Data: []byte(source)}}, "", template.Kinds{Name: Kind()})
	return err
}

func TestBlockCompiles(t *testing.T) { require.NoError(t, compile(complete)) }

func TestMistakesAreFoundInTheTemplate(t *testing.T) {
	for name, c := range map[string]struct{ body, says string }{
		"no image":      {``, "image"},
		"empty image":   {`image = ""`, "may not be empty"},
		"pull":          {`pull = "sometimes"`, "missing, always, never"},
		"replicas":      {`replicas = 1.5`, "whole number from 1 to 100"},
		"port":          {"port {\n container = 0\n }", "whole number from 1 to 65535"},
		"memory":        {"limits {\n memory = \"lots\"\n }", "256Mi"},
		"cpu":           {"limits {\n cpu = 0\n }", "more than 0"},
		"workdir":       {`workdir = "srv"`, "absolute path"},
		"stop_timeout":  {`stop_timeout = "soon"`, "90s"},
		"order":         {"update {\n order = \"both\"\n }", "start_first, stop_first"},
		"unknown":       {`imagine = "x"`, "imagine"},
		"unknown block": {"exposed {\n }", "exposed"},
	} {
		t.Run(name, func(t *testing.T) {
			image := "image = \"x\"\n"
			if name == "no image" || name == "empty image" {
				image = ""
			}
			err := compile("template \"t\" { version = \"1.0.0\" }\nresource \"container\" \"x\" {\n" + image + c.body + "\n}\n")
			require.True(t, fault.Is(err, fault.InvalidTemplate), "%v", err)
			text, _ := json.Marshal(fault.From(err).Diagnostics)
			require.Contains(t, string(text), c.says)
		})
	}
}

func request(inputs string) executor.Request {
	return executor.Request{TaskRef: event.TaskRef{Environment: "Notes", Step: `notes.container.api["eu/1"]`}, Inputs: json.RawMessage(inputs)}
}

func TestDefaults(t *testing.T) {
	b, err := Decode(request(`{"image":"x","replicas":null,"health":{"tcp":{"port":1}},"limits":{"memory":"1.5Gi","cpu":null},"port":[{"container":53,"host":null,"protocol":null}]}`))
	require.NoError(t, err)
	require.Equal(t, 1, b.Replicas)
	require.Equal(t, []string{PullMissing, RestartAlways, StartFirst, TCP}, []string{b.Pull, b.Restart, b.Update.Order, b.Ports[0].Protocol})
	require.Equal(t, Size(3<<29), b.Limits.Memory)
	require.Equal(t, Duration(10*time.Second), b.StopTimeout)
	require.Equal(t, Duration(2*time.Minute), b.Update.HealthTimeout)
	require.Equal(t, 3, b.Health.Retries)
}

func TestDecodeTellsWhatIsWrong(t *testing.T) {
	for inputs, says := range map[string]string{
		`{"image":" "}`:                                                              "image is empty",
		`{"image":"x","env":{"A=B":"1"}}`:                                            `"A=B"`,
		`{"image":"x","files":{"etc/x":""}}`:                                         `"etc/x"`,
		`{"image":"x","labels":{"vivarium.step":"y"}}`:                               "vivarium.",
		`{"image":"x","networks":["a","a"]}`:                                         "twice",
		`{"image":"x","replicas":2,"port":[{"container":1,"host":80}]}`:              "only one of 2 replicas",
		`{"image":"x","port":[{"container":1},{"container":1}]}`:                     "twice",
		`{"image":"x","volume":[{"path":"/x"}]}`:                                     "name or host_path",
		`{"image":"x","volume":[{"name":"a","path":"/x"},{"name":"b","path":"/x"}]}`: "two volumes",
		`{"image":"x","health":{}}`:                                                  "exactly one",
		`{"image":"x","health":{"tcp":{"port":1},"command":["a"]}}`:                  "exactly one",
		`{"image":"x","expose":[{"host":"a b","port":1}]}`:                           "notes.example.test",
		`{"image":"x","stop_timeout":"hunter2"}`:                                     `"(sensitive)" is no duration`,
		`{"image":"x","restart":"maybe"}`:                                            "on-failure",
		`{"image":"x","limits":{"memory":"-1Mi"}}`:                                   "is no size",
		`{"image":["x"]}`:                                                            "not those of a container block",
	} {
		r := request(inputs)
		r.Secrets = []string{"hunter2"}
		_, err := Decode(r)
		require.True(t, fault.Is(err, fault.Invalid), inputs)
		require.Contains(t, err.Error(), says)
		require.NotContains(t, err.Error(), "hunter2")
		require.Equal(t, fault.GiveUp, fault.From(err).Disposition)
	}
}

func TestWhatIsUnknownIsNotChecked(t *testing.T) {
	r := request(`{"image":null,"health":{"http":{"path":"/","port":null}}}`)
	r.Unknown = map[string][]string{"image": {"resource.terraform.image"}}
	_, err := Decode(r)
	require.NoError(t, err)
}

func TestNames(t *testing.T) {
	require.Equal(t, "api-eu-1", Service(request("")))
	require.Equal(t, "x", Slug("---"))
	require.Equal(t, "a-b", Slug("..A  b!"))
	require.LessOrEqual(t, len(Slug(string(make([]byte, 100))+"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")), slugBytes)
}

func TestFingerprintIsKeyed(t *testing.T) {
	box := func(b byte) *secret.Box {
		key := make([]byte, secret.KeySize)
		key[0] = b
		box, err := secret.NewBox(key)
		require.NoError(t, err)
		return box
	}
	a, err := Fingerprint(box(1), request(""), "x")
	require.NoError(t, err)
	again, err := Fingerprint(box(1), request(""), "x")
	require.NoError(t, err)
	require.Equal(t, a, again)
	for _, other := range []struct {
		key  byte
		part string
	}{{1, "y"}, {2, "x"}} {
		b, err := Fingerprint(box(other.key), request(""), other.part)
		require.NoError(t, err)
		require.NotEqual(t, a, b)
	}
	_, err = Fingerprint(nil, request(""))
	require.True(t, fault.Is(err, fault.SecretUnavailable))
}

func TestOutputsAreThoseOfTheKind(t *testing.T) {
	r := request("")
	r.Secrets = []string{"hunter2"}
	values := Outputs{URL: Block{Expose: []Expose{{Host: "hunter2.test", Path: "/a", TLS: true}}}.URL()}.Values(r)
	for name := range Kind().Outputs {
		require.Contains(t, values, name)
	}
	require.JSONEq(t, `"https://hunter2.test/a"`, string(values["url"].Value))
	require.True(t, values["url"].Sensitive)
	require.False(t, values["host"].Sensitive)
}
