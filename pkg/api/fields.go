package api

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
)

// sparse adds the parameter "fields" to a route, with the fields that the things of its answer have.
func sparse(r route) route {
	for _, a := range r.answers {
		if a.status != http.StatusOK || a.body == nil {
			continue
		}
		r.query = append(slices.Clone(r.query), parameter{name: "fields", many: true, commas: true, enum: fieldsOf(itemType(a.body)),
			description: "Only these fields of each thing; all of them unless given"})
		break
	}
	return r
}

// itemType is what a list is of, or the type itself.
func itemType(body any) reflect.Type {
	t := reflect.TypeOf(body)
	if isList(body) {
		items, _ := t.FieldByName("Items")
		return items.Type.Elem()
	}
	return t
}

// fieldsOf are the names that a struct has in JSON, those of embedded ones among them.
func fieldsOf(t reflect.Type) []string {
	names := map[string]bool{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported():
		case name == "" && f.Anonymous:
			for _, inner := range fieldsOf(f.Type) {
				names[inner] = true
			}
		default:
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// only leaves the fields that were asked for.
func (k *call) only(text json.RawMessage) (json.RawMessage, error) {
	fields := k.list("fields")
	if len(fields) == 0 {
		return text, nil
	}
	var top map[string]json.RawMessage
	if err := json.Unmarshal(text, &top); err != nil {
		return nil, err
	}
	if !k.route.lists() {
		return json.Marshal(chosen(top, fields))
	}
	var items []map[string]json.RawMessage
	if err := json.Unmarshal(top["items"], &items); err != nil {
		return nil, err
	}
	for i := range items {
		items[i] = chosen(items[i], fields)
	}
	list, err := json.Marshal(items)
	top["items"] = list
	if err != nil {
		return nil, err
	}
	return json.Marshal(top)
}

func chosen(all map[string]json.RawMessage, fields []string) map[string]json.RawMessage {
	some := make(map[string]json.RawMessage, len(fields))
	for _, f := range fields {
		if v, ok := all[f]; ok {
			some[f] = v
		}
	}
	return some
}

// lists tells whether the answer is a page of things.
func (r route) lists() bool {
	return slices.ContainsFunc(r.answers, func(a answer) bool { return a.status == http.StatusOK && isList(a.body) })
}
