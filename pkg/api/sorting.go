package api

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// sorting is the parameter "sort", for a list that is sorted by the first of the names unless another is given.
func sorting(names ...string) parameter {
	p := parameter{name: "sort", initial: names[0], description: "With a minus in front, downwards. A thing whose sorted value changes " +
		"while pages are read may be listed twice, or not; all others are listed once"}
	for _, n := range names {
		p.enum = append(p.enum, n, "-"+n)
	}
	return p
}

func drifted() parameter {
	return parameter{name: "drifted", kind: flagValue, description: "Only what the last check found gone, or other than it was left; false: only the rest"}
}

// sort is what the parameter says.
func (k *call) sort() (by string, descending bool) { return strings.CutPrefix(k.text("sort"), "-") }

// drift is nil when it is not asked for.
func (k *call) drift() *bool {
	if !k.given["drifted"] {
		return nil
	}
	drifted := k.flag("drifted")
	return &drifted
}

func environmentOrders() []string {
	var names []string
	for _, o := range store.Orders() {
		names = append(names, string(o))
	}
	return names
}

func environmentHealths() []string {
	return []string{string(event.Healthy), environment.Degraded, string(event.HealthUnknown)}
}

// resourceKeys are what resources are sorted by, as texts that compare alike.
var resourceKeys = map[string]func(environment.ResourceRecord) string{
	"address":  func(r environment.ResourceRecord) string { return r.Address },
	"status":   func(r environment.ResourceRecord) string { return string(r.Status) },
	"executor": func(r environment.ResourceRecord) string { return r.Executor },
	"updated_at": func(r environment.ResourceRecord) string {
		return fmt.Sprintf("%020d", max(0, store.Microseconds(r.UpdatedAt)))
	},
}

// picks tells whether resources are to be filtered or sorted, which takes all of the environment.
func (k *call) picks() bool {
	return len(k.list("status"))+len(k.list("health")) > 0 || k.drift() != nil || k.text("sort") != "address"
}

// passes the filters of a list of resources.
func (k *call) passes(r environment.ResourceRecord) bool {
	if all := k.list("status"); len(all) > 0 && !slices.Contains(all, string(r.Status)) {
		return false
	}
	if all := k.list("health"); len(all) > 0 && (r.Health == nil || !slices.Contains(all, string(r.Health.Status))) {
		return false
	}
	d := k.drift()
	return d == nil || r.Drift.Off() == *d
}

// resourcePlace is where a sorted list of resources goes on: behind a resource, in this very list.
type resourcePlace struct {
	List    string `json:"l"`
	Key     string `json:"k"`
	Address string `json:"a"`
}

// listName is that of the list of resources that is asked for.
func (k *call) listName() string {
	statuses, healths := slices.Sorted(slices.Values(k.list("status"))), slices.Sorted(slices.Values(k.list("health")))
	drift := ""
	if d := k.drift(); d != nil {
		drift = fmt.Sprint(*d)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q %q", k.path("name"), k.text("sort"), statuses, healths, drift))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// pick filters, sorts and cuts resources, with the cursor of the page behind.
func (k *call) pick(all []environment.ResourceRecord) ([]environment.ResourceRecord, string, error) {
	by, descending := k.sort()
	key := resourceKeys[by]
	compare := func(a, b resourcePlace) int {
		c := cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Address, b.Address))
		if descending {
			return -c
		}
		return c
	}
	list := k.listName()
	at := func(r environment.ResourceRecord) resourcePlace {
		return resourcePlace{List: list, Key: key(r), Address: r.Address}
	}
	var after *resourcePlace
	if text := k.text("cursor"); text != "" {
		raw, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil || json.Unmarshal(raw, &after) != nil || after == nil || after.List != list {
			return nil, "", store.ErrCursor
		}
	}
	all = slices.DeleteFunc(all, func(r environment.ResourceRecord) bool {
		return !k.passes(r) || after != nil && compare(at(r), *after) <= 0
	})
	slices.SortFunc(all, func(a, b environment.ResourceRecord) int { return compare(at(a), at(b)) })
	limit := int(k.number("limit")) //nolint:gosec // at most mostItems
	if len(all) <= limit {
		return all, "", nil
	}
	cursor, err := json.Marshal(at(all[limit-1]))
	return all[:limit], base64.RawURLEncoding.EncodeToString(cursor), err
}
