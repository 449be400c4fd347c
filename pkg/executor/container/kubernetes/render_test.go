package kubernetes

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

var update = flag.Bool("update", false, "write the golden files anew")

const hidden = "correct-horse-battery-staple"

func request(inputs string) executor.Request {
	return executor.Request{
		TaskRef: event.TaskRef{Environment: "notes", Step: `notes.container.api["eu west"]`, Attempt: 1, Epoch: 1},
		Inputs:  json.RawMessage(inputs), Secrets: []string{hidden},
	}
}

// fixed is a box whose key is always the same.
func fixed() *secret.Box {
	b, err := secret.NewBox(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		panic(err)
	}
	return b
}

// rendering makes the objects without any cluster.
func rendering(t *testing.T, o Options, r executor.Request) (*session, wanted, error) {
	t.Helper()
	o.Box = fixed
	e := New(o)
	b, err := decode(r)
	if err != nil {
		return nil, wanted{}, err
	}
	s := &session{Executor: e, r: r, block: b, at: e.placed(r, b), c: &client{address: "https://kubernetes.test"}}
	w, err := s.render()
	return s, w, err
}

// TestGolden renders every block below testdata and compares the objects with what is kept beside it.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			inputs, err := os.ReadFile(file)
			require.NoError(t, err)
			o := Options{}
			if strings.Contains(file, "shared") {
				o = Options{Namespace: "teams", IngressClass: "traefik", StorageClass: "fast", VolumeSize: "5Gi"}
			}
			_, w, err := rendering(t, o, request(string(inputs)))
			require.NoError(t, err)
			var got bytes.Buffer
			for _, object := range w.all() {
				require.NoError(t, json.Indent(&got, object.body, "", "  "))
				got.WriteByte('\n')
			}
			golden := strings.TrimSuffix(file, ".json") + ".golden"
			if *update {
				require.NoError(t, os.WriteFile(golden, got.Bytes(), 0o600))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), got.String())
		})
	}
}

// TestSecretsOnlyInSecrets renders a block with a secret wherever one may be.
func TestSecretsOnlyInSecrets(t *testing.T) {
	inputs := fmt.Sprintf(`{"image":"a:1","env":{"PASSWORD":%[1]q,"URL":"postgres://u:%[2]s@db"},"files":{"/etc/p":%[1]q,"/etc/q":"open"},
		"command":["--password",%[1]q],"entrypoint":["/app",%[1]q]}`, hidden, hidden)
	_, w, err := rendering(t, Options{}, request(inputs))
	require.NoError(t, err)
	for _, o := range w.all() {
		if o.kind != secrets {
			require.NotContains(t, string(o.body), hidden, o.kind.name)
		}
		require.NotContains(t, o.name, hidden)
	}
	require.Equal(t, secrets, w.config[0].kind)
	require.Contains(t, string(w.deployment.body), `"$(VIVARIUM_COMMAND_1)"`)
}

// TestNamesTellContents: another content has another name, and the name does not tell the content without the key.
func TestNamesTellContents(t *testing.T) {
	name := func(box func() *secret.Box, password string) string {
		r := request(fmt.Sprintf(`{"image":"a:1","env":{"PASSWORD":%q}}`, password))
		r.Secrets = []string{password}
		e := New(Options{Box: box})
		b, err := decode(r)
		require.NoError(t, err)
		w, err := (&session{Executor: e, r: r, block: b, at: e.place(r)}).render()
		require.NoError(t, err)
		return w.config[0].name
	}
	other := func() *secret.Box {
		b, err := secret.NewBox(bytes.Repeat([]byte{8}, 32))
		require.NoError(t, err)
		return b
	}
	require.Equal(t, name(fixed, "first-secret"), name(fixed, "first-secret"))
	require.NotEqual(t, name(fixed, "first-secret"), name(fixed, "second-secret"))
	require.NotEqual(t, name(fixed, "first-secret"), name(other, "first-secret"))
}

func TestRefused(t *testing.T) {
	for inputs, says := range map[string]string{
		`{"image":"a","restart":"no"}`:                                                              "restart",
		`{"image":"a","user":"root"}`:                                                               "number",
		`{"image":"a","service_account":"My Account"}`:                                              "service_account",
		`{"image":"a","service_name":"1.notes"}`:                                                    "service_name",
		`{"image":"a","labels":{"a b":"c"}}`:                                                        "labels",
		`{"image":"a","expose":[{"host":"Notes_","port":80}]}`:                                      "DNS",
		`{"image":"a","image_":"","labels":{"password":"` + hidden + `"}}`:                          "sensitive value is in labels",
		`{"image":"` + hidden + `"}`:                                                                "sensitive value is in image",
		`{"image":"a","health":{"command":["check","` + hidden + `"]}}`:                             "sensitive value is in health",
		`{"image":"a","files":{"/a":"` + strings.Repeat("x", most) + `"}}`:                          "put large files into the image",
		`{"image":"a","expose":[{"host":"a.test","port":80,"path":"/` + hidden + `","tls":false}]}`: "sensitive value is in expose",
	} {
		_, _, err := rendering(t, Options{}, request(inputs))
		require.ErrorContains(t, err, says)
		require.True(t, fault.Is(err, fault.Invalid))
		require.NotContains(t, err.Error(), hidden)
	}
}

func TestPlaces(t *testing.T) {
	r := request(`{}`)
	own := New(Options{}).place(r)
	require.Equal(t, "vivarium-notes", own.namespace)
	require.Equal(t, "api-eu-west", own.service, "the template's name is the one in DNS")
	require.Regexp(t, `^notes-api-eu-west-[0-9a-f]{8}$`, own.name)
	shared := New(Options{Namespace: "teams"}).place(r)
	require.Equal(t, "teams", shared.namespace)
	require.Equal(t, shared.name, shared.service, "environments share the namespace, so the name has the environment in it")
	named := New(Options{Namespace: "teams"}).placed(r, container.Block{ServiceName: "notes"})
	require.Equal(t, "notes.teams.svc", named.host(), "known before there is any")
	require.Equal(t, shared.name, named.name, "all else is called as ever")
	other := r
	other.Environment = "Notes_" + strings.Repeat("x", 80)
	far := New(Options{}).place(other)
	require.LessOrEqual(t, len(far.namespace), 63)
	require.LessOrEqual(t, len(far.name), 63)
	require.NotEqual(t, own.id, far.id)
	other.Environment = "1st"
	require.Regexp(t, "^n1st-", New(Options{Namespace: "teams"}).place(other).service, "Services begin with a letter")
}

// TestLiteral: what a container gets is what the block says, though Kubernetes puts variables in place of $(NAME).
func TestLiteral(t *testing.T) {
	for in, out := range map[string]string{
		"plain": "plain", "$HOME": "$HOME", "$(A)": "$$(A)", "$$": "$$$", "$$(A)": "$$$$(A)", "a$": "a$", "ä$(x)": "ä$$(x)",
	} {
		require.Equal(t, out, literal(in))
	}
}

func TestWords(t *testing.T) {
	for path, word := range map[string]string{
		"spec.replicas": "replicas", "spec.template.spec.containers[api].image": "image",
		"spec.template.spec.containers[api].env[A.B].value":       "env.A.B",
		"spec.template.spec.containers[api].args[0]":              "command[0]",
		"spec.template.spec.containers[api].resources.limits.cpu": "limits.cpu", "spec.ports[tcp-80].port": "spec.ports[tcp-80].port",
	} {
		require.Equal(t, word, words(path))
	}
}

func TestNothingIsTakenOver(t *testing.T) {
	r := request(`{"image":"sample:1"}`)
	r.Adopt = json.RawMessage(`"web"`)
	_, err := New(Options{}).Plan(t.Context(), r, event.Apply)
	require.Equal(t, fault.Invalid, fault.From(err).Code)
	require.Contains(t, err.Error(), "only containers on Docker")
	require.False(t, New(Options{}).Kind().Adopts)
}
