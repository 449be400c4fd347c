package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// TestWhatHadNoTLSGetsNone: an environment zero that is older than TLS is not brought to it by a default, nor by somebody who asks for it.
func TestWhatHadNoTLSGetsNone(t *testing.T) {
	ours := []template.Parameter{{Name: "api_port"}, {Name: "tls"}}
	for name, c := range map[string]struct {
		api, given, becomes string
		known               []template.Parameter
		refused             bool
	}{
		"older":                     {api: "http://127.0.0.1:8090", becomes: "false"},
		"older, and said so":        {api: "http://127.0.0.1:8090", given: "false", becomes: "false"},
		"older, and it is asked":    {api: "http://127.0.0.1:8090", given: "true", refused: true},
		"with TLS":                  {api: "https://127.0.0.1:8090"},
		"with TLS, and said so":     {api: "https://vivarium-server.viv.svc:8090", given: "true", becomes: "true"},
		"with TLS, and to lose it":  {api: "https://127.0.0.1:8090", given: "false", refused: true},
		"of somebody's own meta":    {api: "http://127.0.0.1:8090", known: ours[:1]},
		"in which it is no truth":   {api: "http://127.0.0.1:8090", given: `"1.3"`, becomes: `"1.3"`},
		"a service nobody knows of": {api: "", given: "true", becomes: "true"},
	} {
		given, known := map[string]json.RawMessage{}, c.known
		if known == nil {
			known = ours
		}
		if c.given != "" {
			given["tls"] = json.RawMessage(c.given)
		}
		err := keepTLS(c.api, known, given)
		if c.refused {
			require.True(t, fault.Is(err, fault.Conflict), "%s: %v", name, err)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, c.becomes, string(given["tls"]), name)
	}
}
