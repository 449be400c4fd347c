package api

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// values of a parameter: one that it takes, and those that it does not.
func (p parameter) values() (good string, bad []string) {
	bad = []string{"\xff", strings.Repeat("x", 2000)}
	switch {
	case len(p.enum) > 0:
		return p.enum[0], append(bad, "nonsense", p.enum[0]+" ")
	case p.kind == flagValue:
		return "false", append(bad, "maybe", "1")
	case p.kind == numberValue:
		return "1", append(bad, "-1", "1.5", "ten", "99999999999999999999")
	case p.kind == positionValue:
		return "1", append(bad, "-1", "1-2")
	case p.kind == timeValue:
		return "2030-01-01T00:00:00Z", append(bad, "yesterday", "2030-01-01")
	}
	return "x", bad
}

// TestEveryParameter: each parameter of each route takes what the document says, and refuses the rest with its name; two values are
// refused where there may be one, and so is a name that is not in the document.
func TestEveryParameter(t *testing.T) {
	f := start(t, func(o *Options) { o.Usage, o.Impact = used, foreseen })
	f.shop()
	for _, r := range routes() {
		path, _, _ := strings.Cut(exampleAddress(r), "?")
		refused := func(query url.Values, name string) {
			p := f.problem(http.StatusBadRequest, http.MethodGet, path+"?"+query.Encode())
			require.Equal(t, fault.Invalid, p.Code)
			require.Contains(t, p.Detail, `"`+name+`"`, "%s?%s", path, query.Encode())
		}
		for _, p := range r.query {
			good, bad := p.values()
			response, body := f.do(http.MethodGet, path+"?"+url.Values{p.name: {good}}.Encode())
			if response.StatusCode == http.StatusBadRequest {
				// What is well-formed may still be no cursor of this list, or not enough of a question.
				require.NotContains(t, string(body), "not allowed", "%s %s=%s", path, p.name, good)
			} else {
				require.Contains(t, []int{http.StatusOK, http.StatusNotFound}, response.StatusCode, "%s %s=%s: %s", path, p.name, good, body)
			}
			for _, value := range bad {
				refused(url.Values{p.name: {value}}, p.name)
			}
			if !p.many {
				refused(url.Values{p.name: {good, good}}, p.name)
			}
		}
		refused(url.Values{"no_such_parameter": {"1"}}, "no_such_parameter")
	}
}
