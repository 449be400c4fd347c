package terraform

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// mostDifferences bounds how many are listed, and longestValue how many bytes of a value are shown: a plan travels in a
// message and is read by people.
const (
	mostDifferences = 500
	longestValue    = 500
)

// planned is what the program shows of a plan, in our words.
func (run *run) planned(found *tfjson.Plan, verb event.Verb) event.Plan {
	list := &differences{run: run}
	replaced, kept, changed := false, false, false
	for _, c := range found.ResourceChanges {
		if c.Mode != tfjson.ManagedResourceMode || c.Change == nil {
			continue
		}
		kept = kept || c.Change.Before != nil
		change := changeOf(c.Change.Actions)
		if change == event.ChangeNone {
			continue
		}
		changed, replaced = true, replaced || change == event.ChangeReplace
		list.resource(c.Address, change, c.Change)
	}
	for _, name := range slices.Sorted(maps.Keys(found.OutputChanges)) {
		if run.request.Adopt != nil {
			break // outputs are in the state, and what is taken over is not yet
		}
		if c := found.OutputChanges[name]; c != nil && changeOf(c.Actions) != event.ChangeNone {
			changed = true
			list.values("output."+name, c)
		}
	}
	p := event.Plan{Differences: list.all()}
	switch {
	case !changed:
		p.Change = event.ChangeNone
	case verb == event.Destruct:
		p.Change = event.ChangeDestroy
	case !kept:
		p.Change = event.ChangeCreate
	case replaced:
		p.Change = event.ChangeReplace
	default:
		p.Change = event.ChangeUpdate
	}
	return p
}

// observed is what a plan that only refreshes has found.
func (run *run) observed(found *tfjson.Plan, before state) event.Observation {
	list := &differences{run: run}
	gone := 0
	for _, c := range found.ResourceDrift {
		if c.Mode != tfjson.ManagedResourceMode || c.Change == nil {
			continue
		}
		change := changeOf(c.Change.Actions)
		if change == event.ChangeNone {
			continue
		}
		if change == event.ChangeDestroy {
			gone++
		}
		list.resource(c.Address, change, c.Change)
	}
	o := event.Observation{Presence: event.Present, Differences: list.all()}
	o.Drifted = len(o.Differences) > 0
	if gone >= before.instances() {
		o.Presence = event.Absent
	}
	return o
}

func changeOf(a tfjson.Actions) event.Change {
	switch {
	case a.Replace():
		return event.ChangeReplace
	case a.Create():
		return event.ChangeCreate
	case a.Update():
		return event.ChangeUpdate
	case a.Delete(), slices.Contains(a, "forget"):
		return event.ChangeDestroy
	}
	return event.ChangeNone // no-op, or a data source that is read
}

// differences collects them, and counts those that there is no room for.
type differences struct {
	run  *run
	list []event.Difference
	more int
}

func (l *differences) add(d event.Difference) {
	if len(l.list) >= mostDifferences {
		l.more++
		return
	}
	l.list = append(l.list, d)
}

func (l *differences) all() []event.Difference {
	if l.more > 0 {
		l.list = append(l.list, event.Difference{Path: fmt.Sprintf("and %d more", l.more), Change: event.ChangeUpdate})
	}
	return l.list
}

// resource lists a resource and, where it is there before and afterwards, its attributes.
func (l *differences) resource(address string, change event.Change, c *tfjson.Change) {
	if change != event.ChangeUpdate {
		l.add(event.Difference{Path: address, Change: change})
	}
	if change == event.ChangeUpdate || change == event.ChangeReplace || change == event.ChangeCreate {
		l.values(address, c)
	}
}

func (l *differences) values(path string, c *tfjson.Change) {
	l.compare(path+":", side{c.Before, c.BeforeSensitive, nil}, side{c.After, c.AfterSensitive, c.AfterUnknown})
}

// side is a value before or after, with which parts of it nobody may see, and which are not known yet.
type side struct{ value, sensitive, unknown any }

func (s side) in(key string) side {
	return side{within(s.value, key), within(s.sensitive, key), within(s.unknown, key)}
}

// within is a member of an object; what is true of the whole is true of its parts.
func within(v any, key string) any {
	switch v := v.(type) {
	case map[string]any:
		return v[key]
	case bool:
		return v
	}
	return nil
}

func (s side) keys() []string {
	var keys []string
	for _, v := range []any{s.value, s.unknown} {
		if m, ok := v.(map[string]any); ok {
			keys = append(keys, slices.Collect(maps.Keys(m))...)
		}
	}
	return keys
}

// compare goes down into objects, and lists all else as a whole.
func (l *differences) compare(path string, before, after side) {
	keys := slices.Compact(slices.Sorted(slices.Values(append(before.keys(), after.keys()...))))
	if len(keys) == 0 || is(before.sensitive) || is(after.sensitive) || is(after.unknown) {
		l.leaf(path, before, after)
		return
	}
	for _, key := range keys {
		between := "."
		if path[len(path)-1] == ':' {
			between = " "
		}
		l.compare(path+between+key, before.in(key), after.in(key))
	}
}

func is(v any) bool { return v == true }

func (l *differences) leaf(path string, before, after side) {
	if path[len(path)-1] == ':' {
		path = path[:len(path)-1] // the value as a whole
	}
	unknown := is(after.unknown)
	if !unknown && (reflect.DeepEqual(before.value, after.value) || before.value == nil && after.value == nil) {
		return
	}
	d := event.Difference{Path: path, Change: event.ChangeUpdate, Before: l.text(before.value), After: l.text(after.value)}
	if unknown {
		d.After, d.Until = "", []string{"it is applied"}
	}
	switch {
	case before.value == nil:
		d.Change = event.ChangeCreate
	case after.value == nil && !unknown:
		d.Change = event.ChangeDestroy
	}
	if anything(before.sensitive) || anything(after.sensitive) || l.holds(before.value) || l.holds(after.value) {
		d.Sensitive, d.Before, d.After = true, shown(d.Before), shown(d.After)
	}
	l.add(d)
}

// anything tells whether some part of a value is marked.
func anything(v any) bool {
	switch v := v.(type) {
	case bool:
		return v
	case []any:
		return slices.ContainsFunc(v, anything)
	case map[string]any:
		return slices.ContainsFunc(slices.Collect(maps.Values(v)), anything)
	}
	return false
}

func shown(text string) string {
	if text == "" {
		return ""
	}
	return secret.Shown
}

func (l *differences) holds(v any) bool {
	text, err := json.Marshal(v)
	return err != nil || l.run.request.Holds(text)
}

// text is a value for people: a string as it is, all else as JSON.
func (l *differences) text(v any) string {
	var text string
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		text = v
	default:
		encoded, _ := json.Marshal(v) // it was decoded from JSON
		text = string(encoded)
	}
	if len(text) > longestValue {
		text = strings.ToValidUTF8(text[:longestValue], "") + "..."
	}
	return text
}
