package helm

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/executor"
)

// veil hides secrets in what people will read: those of the request and those of the values that are deployed, as they are and as
// charts write them.
type veil struct{ r executor.Request }

// newVeil covers the request's secrets, and more.
func newVeil(r executor.Request, more ...string) veil {
	r.Secrets = slices.Concat(r.Secrets, more)
	for _, s := range slices.Clone(r.Secrets) {
		if s == "" {
			continue
		}
		r.Secrets = append(r.Secrets, base64.StdEncoding.EncodeToString([]byte(s)))
		if quoted, err := json.Marshal(s); err == nil && string(quoted) != `"`+s+`"` {
			r.Secrets = append(r.Secrets, strings.Trim(string(quoted), `"`))
		}
	}
	// Those that hold another come first, or a part of them would be left.
	slices.SortFunc(r.Secrets, func(a, b string) int { return len(b) - len(a) })
	return veil{r}
}

func (v veil) mask(text string) string { return v.r.Mask(text) }

func (v veil) holds(text string) bool { return v.mask(text) != text }

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
