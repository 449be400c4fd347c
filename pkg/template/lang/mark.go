package lang

import (
	"maps"
	"slices"
	"sort"

	"github.com/zclconf/go-cty/cty"
)

type mark string

// Sensitive is the mark of a value that nobody may read, and of all that is made of it.
const Sensitive = mark("sensitive")

// Pending is the mark of a value that is known only after a node was applied; it is the node's address.
type Pending string

// IsSensitive tells whether a value, or anything in it, is marked.
func IsSensitive(v cty.Value) bool { return v.HasMarkDeep(Sensitive) }

// PendingOn lists, sorted, the addresses of the nodes that a value waits for.
func PendingOn(v cty.Value) []string {
	found := map[string]struct{}{}
	for p := range cty.ValueMarksOfTypeDeep[Pending](v) {
		found[string(p)] = struct{}{}
	}
	list := slices.Collect(maps.Keys(found))
	sort.Strings(list)
	return list
}
