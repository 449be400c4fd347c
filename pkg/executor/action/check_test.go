package action_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/executor/action"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/template"
)

func TestWhatAnActionIs(t *testing.T) {
	for body, says := range map[string]string{
		`command = ["true"]`:                          "",
		`http { url = "https://example.test/hook" }`:  "",
		`http { url = "https://${param.host}/hook" }`: "",
		``: "either a command or an http block",
		"command = [\"true\"]\nhttp { url = \"http://a.test\" }":  "either a command or an http block",
		"files = \"./f\"\nhttp { url = \"http://a.test\" }":       "goes with a command",
		`http { url = "ftp://a.test" }`:                           "http://HOST/PATH",
		"http {\nurl = \"http://a.test\"\nmethod = \"FETCH\"\n}":  "one of GET",
		"http {\nurl = \"http://a.test\"\ntimeout = \"soon\"\n}":  "duration",
		"http {\nurl = \"http://a.test\"\nstatus = [200, 204]\n}": "",
	} {
		text := "template \"t\" {\n version = \"1.0.0\"\n}\nparameter \"host\" { type = string }\naction \"a\" {\n" + body + "\n}\n"
		files := fstest.MapFS{"template.hcl": {Data: []byte(text)}, "f/x": {}}
		kind := action.New(action.Options{}).Kind()
		_, err := template.Compile(files, "", template.Kinds{kind.Name: kind})
		if says == "" {
			require.NoError(t, err, body)
			continue
		}
		require.Error(t, err, body)
		found := fault.From(err).Diagnostics
		require.Contains(t, found[0].Detail, says, body)
		require.GreaterOrEqual(t, found[0].Line, 5, body)
	}
}
