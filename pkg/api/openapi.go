package api

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/vivarium-env/vivarium/pkg/api/schema"
	"github.com/vivarium-env/vivarium/pkg/api/wire"
)

// Document is the OpenAPI 3.1 document of the API, made from the table of routes. Comments describe the types' fields;
// nil takes those the program was built with.
func Document(comments map[string]string) ([]byte, error) {
	r := schema.New(schema.Options{Refs: "#/components/schemas/", Comments: comments})
	problem, err := r.Of(wire.Problem{})
	if err != nil {
		return nil, err
	}
	shown, err := examples()
	if err != nil {
		return nil, err
	}
	paths := schema.Object{}
	for _, row := range routes() {
		get, err := describe(r, row)
		if err != nil {
			return nil, err
		}
		withExample(get["responses"].(schema.Object), shown[row.id])
		head := maps.Clone(get)
		head["operationId"] = row.id + "Head"
		head["summary"] = row.summary + " (headers only)"
		path := schema.Object{"get": get, "head": head}
		if row.asks != "" {
			path["post"] = withBody(row, get)
		}
		paths[row.path] = path
	}
	document := schema.Object{
		"openapi":           "3.1.0",
		"jsonSchemaDialect": schema.Dialect,
		"info": schema.Object{
			"title": "Vivarium", "version": "v1",
			"description": "What environments there are, what they are made of and how far they are. Read only, also where a question has a body: what changes " +
				"something is a command on the message bus. Durations are integer nanoseconds, times RFC 3339; values of " +
				"secrets are shown as \"(sensitive)\". Parameters that an address does not know are refused.",
		},
		"servers": []any{schema.Object{"url": "/"}},
		"tags": []any{
			schema.Object{"name": "environments"}, schema.Object{"name": "graph"}, schema.Object{"name": "templates"}, schema.Object{"name": "self"},
		},
		"paths": paths,
		"components": schema.Object{
			"schemas":   r.Definitions(),
			"responses": schema.Object{"Problem": problemResponse(problem)},
		},
	}
	text, err := json.MarshalIndent(document, "", "  ")
	return append(text, '\n'), err
}

// ownDocument is what the program serves, made when somebody first asks: most servers are never asked, and it is a good part of the
// work of starting one.
func ownDocument() ([]byte, error) {
	own.made.Do(func() { own.text, own.err = Document(nil) })
	return own.text, own.err
}

var own struct {
	made sync.Once
	text []byte
	err  error
}

func problemResponse(problem schema.Object) schema.Object {
	return schema.Object{
		"description": "What went wrong (RFC 9457)",
		"content":     schema.Object{mimeProblem: schema.Object{"schema": problem}},
	}
}

func describe(r *schema.Reflector, row route) (schema.Object, error) {
	responses := schema.Object{"default": schema.Object{"$ref": "#/components/responses/Problem"}}
	for _, a := range row.answers {
		if err := addAnswer(r, responses, a); err != nil {
			return nil, err
		}
	}
	operation := schema.Object{
		"operationId": row.id, "tags": []any{row.tag}, "summary": row.summary, "responses": responses,
	}
	if row.description != "" {
		operation["description"] = row.description
	}
	if tagged(row) {
		row.headers = append(slices.Clone(row.headers), parameter{name: "If-None-Match", many: true,
			description: "The ETag of an answer that the client has: when it is still the same, the answer is 304"})
		responses[strconv.Itoa(http.StatusNotModified)] = schema.Object{"description": "The client has it already"}
	}
	var parameters []any
	for _, name := range pathParameters(row.path) {
		parameters = append(parameters, schema.Object{
			"name": name, "in": "path", "required": true, "schema": schema.Object{"type": "string"},
		})
	}
	for _, p := range row.query {
		parameters = append(parameters, p.describe("query"))
	}
	for _, p := range row.headers {
		parameters = append(parameters, p.describe("header"))
	}
	if parameters != nil {
		operation["parameters"] = parameters
	}
	return operation, nil
}

// tagged tells whether answers have a tag of their contents that the route does not mention by itself.
func tagged(row route) bool {
	json := slices.ContainsFunc(row.answers, func(a answer) bool { return a.status == http.StatusOK && a.mime == mimeJSON })
	own := slices.ContainsFunc(row.headers, func(p parameter) bool { return p.name == "If-None-Match" })
	return json && !own && row.id != "doc"
}

// addAnswer adds one form of an answer to those of its status.
func addAnswer(r *schema.Reflector, responses schema.Object, a answer) error {
	status := strconv.Itoa(a.status)
	response, ok := responses[status].(schema.Object)
	if !ok {
		response = schema.Object{"description": a.description}
		responses[status] = response
	}
	if a.mime == "" {
		return nil
	}
	body := schema.Object{"type": "string"}
	if a.body != nil {
		var err error
		if body, err = r.Of(a.body); err != nil {
			return err
		}
	}
	content, ok := response["content"].(schema.Object)
	if !ok {
		content = schema.Object{}
		response["content"] = content
	}
	content[a.mime] = schema.Object{"schema": body}
	if len(a.headers) > 0 {
		headers := schema.Object{}
		for name, description := range a.headers {
			headers[name] = schema.Object{"description": description, "schema": schema.Object{"type": "string"}}
		}
		response["headers"] = headers
	}
	return nil
}

func (p parameter) describe(in string) schema.Object {
	value := schema.Object{"type": "string"}
	switch {
	case len(p.enum) > 0:
		value["enum"] = p.enum
		if p.initial != "" {
			value["default"] = p.initial
		}
	case p.kind == flagValue:
		value["type"] = "boolean"
	case p.kind == numberValue:
		value = schema.Object{"type": "integer", "minimum": p.min}
		if p.max > 0 {
			value["maximum"] = p.max
		}
		if p.absent > 0 {
			value["default"] = p.absent
		}
	case p.kind == positionValue:
		value["pattern"] = positionPattern
	case p.kind == timeValue:
		value["format"] = "date-time"
	default:
		value["maxLength"] = maxText
	}
	d := schema.Object{"name": p.name, "in": in, "description": p.description, "schema": value}
	if p.kind == flagValue {
		d["allowEmptyValue"] = true
	}
	if p.many && in == "query" {
		d["schema"] = schema.Object{"type": "array", "items": value}
		d["style"], d["explode"] = "form", true
	}
	return d
}

// isList tells pages from single things.
func isList(body any) bool {
	return body != nil && strings.HasPrefix(reflect.TypeOf(body).Name(), "List[")
}
