package schema

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/invopop/jsonschema"
)

// Object is a JSON Schema, or any other JSON object, as encoding/json reads it.
type Object = map[string]any

// Dialect is the JSON Schema dialect of everything reflected here.
const Dialect = "https://json-schema.org/draft/2020-12/schema"

// Reflector collects the schemas of Go types under their names. It is not safe for concurrent use.
type Reflector struct {
	refs     string
	reflect  jsonschema.Reflector
	defs     map[string]Object
	types    map[string]reflect.Type
	conflict error
}

// Options of a Reflector.
type Options struct {
	// Refs is the path under which definitions are found, such as "#/$defs/".
	Refs string
	// Closed refuses properties that the type does not have.
	Closed bool
	// Comments by type and field; nil takes those the program was built with.
	Comments map[string]string
}

// New makes an empty Reflector.
func New(o Options) *Reflector {
	if o.Comments == nil {
		o.Comments = builtin()
	}
	r := &Reflector{refs: o.Refs, defs: map[string]Object{}, types: map[string]reflect.Type{}}
	r.reflect = jsonschema.Reflector{
		Anonymous:                 true,
		AllowAdditionalProperties: !o.Closed,
		Mapper:                    values,
		Namer:                     r.name,
		CommentMap:                o.Comments,
	}
	return r
}

// Of returns the schema of v's type, which is a reference for structs, and keeps what it refers to.
func (r *Reflector) Of(v any) (Object, error) {
	whole := r.reflect.Reflect(v)
	text, err := json.Marshal(whole)
	if err != nil {
		return nil, fmt.Errorf("schema of %T: %w", v, err)
	}
	var doc Object
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("schema of %T: %w", v, err)
	}
	defs, _ := doc["$defs"].(Object)
	delete(doc, "$defs")
	delete(doc, "$schema")
	for name, def := range defs {
		schema, ok := def.(Object)
		if !ok {
			return nil, fmt.Errorf("schema of %T: the definition %s is no object", v, name)
		}
		redirect(schema, r.refs)
		r.defs[name] = public(name, schema)
	}
	redirect(doc, r.refs)
	return doc, r.conflict
}

// Definitions are all schemas that were referred to so far, by name.
func (r *Reflector) Definitions() map[string]Object { return r.defs }

// name is the type's name in documents; two types under one name would overwrite each other and are an error of Of.
func (r *Reflector) name(t reflect.Type) string {
	if t.Kind() != reflect.Struct || t.PkgPath() == "" || t.PkgPath() == "time" {
		return ""
	}
	name := nameOf(t)
	if other, ok := r.types[name]; ok && other != t {
		r.conflict = fmt.Errorf("the types %s and %s would both be called %s; name one of them in package schema", other, t, name)
	}
	r.types[name] = t
	return name
}

// public takes the nodes out of Created and Updated: the field is there only to hide those of the fact that it embeds.
func public(name string, def Object) Object {
	if name != createdName && name != updatedName {
		return def
	}
	const hidden = "nodes"
	if properties, ok := def["properties"].(Object); ok {
		delete(properties, hidden)
	}
	required, _ := def["required"].([]any)
	def["required"] = slices.DeleteFunc(required, func(field any) bool { return field == hidden })
	return def
}

// redirect rewrites references from where the library puts definitions to where the document has them.
func redirect(v any, refs string) {
	const from = "#/$defs/"
	switch v := v.(type) {
	case Object:
		if ref, ok := v["$ref"].(string); ok {
			v["$ref"] = refs + strings.TrimPrefix(ref, from)
		}
		for _, member := range v {
			redirect(member, refs)
		}
	case []any:
		for _, member := range v {
			redirect(member, refs)
		}
	}
}
