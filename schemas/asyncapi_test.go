package schemas_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/schemas"
)

type object = map[string]any

func asyncAPI(t *testing.T) object {
	t.Helper()
	return document(t, "asyncapi.json")
}

func document(t *testing.T, name string) object {
	t.Helper()
	text, err := schemas.Files.ReadFile(name)
	require.NoError(t, err)
	var doc object
	require.NoError(t, json.Unmarshal(text, &doc))
	return doc
}

// at follows a JSON pointer without escapes, such as #/channels/events.
func at(doc object, pointer string) object {
	for _, key := range strings.Split(strings.TrimPrefix(pointer, "#/"), "/") {
		doc, _ = doc[key].(object)
	}
	return doc
}

func refOf(t *testing.T, v any) string {
	t.Helper()
	ref, ok := v.(object)["$ref"].(string)
	require.True(t, ok, "no reference: %v", v)
	return ref
}

func TestAsyncAPIReferencesResolve(t *testing.T) {
	doc := asyncAPI(t)
	require.Equal(t, "3.0.0", doc["asyncapi"])
	used := map[string]bool{}
	count := 0
	var visit func(any)
	visit = func(v any) {
		switch v := v.(type) {
		case object:
			if ref, ok := v["$ref"].(string); ok {
				count++
				if strings.HasPrefix(ref, "#/") {
					require.NotNil(t, at(doc, ref), ref)
				} else {
					used[path.Clean(ref)] = true
				}
			}
			for _, member := range v {
				visit(member)
			}
		case []any:
			for _, member := range v {
				visit(member)
			}
		}
	}
	visit(doc)
	require.Greater(t, count, 60)
	there := map[string]bool{}
	require.NoError(t, fs.WalkDir(schemas.Files, ".", func(file string, entry fs.DirEntry, err error) error {
		if !entry.IsDir() && strings.Contains(file, "/") {
			there[file] = true
		}
		return err
	}))
	require.Equal(t, there, used, "every schema is the payload of a message, and the other way round")
}

func TestAsyncAPIOperationsAndChannels(t *testing.T) {
	doc := asyncAPI(t)
	served := map[string]bool{}
	for name, v := range at(doc, "#/operations") {
		operation := v.(object)
		require.Contains(t, []any{"send", "receive"}, operation["action"], name)
		channel := refOf(t, operation["channel"])
		served[channel] = true
		messages := operation["messages"].([]any)
		require.Len(t, messages, len(at(doc, channel+"/messages")), "%s uses all messages of its channel", name)
		for _, m := range messages {
			require.True(t, strings.HasPrefix(refOf(t, m), channel+"/messages/"), "%s: a message of another channel", name)
		}
		if reply, ok := operation["reply"].(object); ok {
			to := refOf(t, reply["channel"])
			require.Nil(t, at(doc, to)["address"], "%s: the request says where replies go", name)
			for _, m := range reply["messages"].([]any) {
				require.True(t, strings.HasPrefix(refOf(t, m), to+"/messages/"))
			}
		}
	}
	for name, v := range at(doc, "#/channels") {
		require.True(t, served["#/channels/"+name], "%s is used by no operation", name)
		checkChannel(t, name, v.(object))
	}
}

var braced = regexp.MustCompile(`\{(\w+)\}`)

func checkChannel(t *testing.T, name string, channel object) {
	t.Helper()
	for _, m := range channel["messages"].(object) {
		require.True(t, strings.HasPrefix(refOf(t, m), "#/components/messages/"), name)
	}
	address, ok := channel["address"].(string)
	if !ok {
		return
	}
	parameters, _ := channel["parameters"].(object)
	named := braced.FindAllStringSubmatch(address, -1)
	require.Len(t, parameters, len(named), name)
	for _, p := range named {
		require.Contains(t, parameters, p[1], name)
	}
	binding := at(channel, "bindings/amqp")
	switch binding["is"] {
	case "queue":
		require.Equal(t, address, at(binding, "queue")["name"], name)
	case "routingKey":
		require.Equal(t, "topic", at(binding, "exchange")["type"], name)
	default:
		require.Fail(t, "no AMQP binding", name)
	}
}

func TestAsyncAPIHasTheTopology(t *testing.T) {
	doc := asyncAPI(t)
	exchanges, queues := map[any]bool{}, map[any]bool{}
	for _, v := range at(doc, "#/channels") {
		binding := at(v.(object), "bindings/amqp")
		exchanges[at(binding, "exchange")["name"]] = true
		queues[at(binding, "queue")["name"]] = true
	}
	for _, name := range []string{bus.Commands, bus.Events, bus.Control, bus.Cluster} {
		require.True(t, exchanges[name], name)
	}
	for _, name := range []string{bus.Runners, bus.Logs, bus.DeadLetters, bus.Tasks("{pool}"), strings.Replace(bus.Partition(0), "0", "{partition}", 1)} {
		require.True(t, queues[name], name)
	}
	events := at(doc, "#/channels/events")
	happening := at(events, "parameters/happening")["enum"].([]any)
	for _, body := range environment.Bodies() {
		key := environment.RoutingKey("notes", body.Type())
		require.Contains(t, happening, strings.TrimPrefix(key, "environment.notes."))
	}
}

func TestAsyncAPIExamples(t *testing.T) {
	for name, v := range at(asyncAPI(t), "#/components/messages") {
		message := v.(object)
		examples := message["examples"].([]any)
		require.NotEmpty(t, examples, name)
		for _, example := range examples {
			text, err := json.Marshal(example.(object)["payload"])
			require.NoError(t, err)
			require.NoError(t, schemas.Validate(message["name"].(string), text), name)
		}
	}
}

func TestSchemasHaveTheirOwnID(t *testing.T) {
	require.NoError(t, fs.WalkDir(schemas.Files, ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.Contains(file, "/") {
			return err
		}
		text, err := schemas.Files.ReadFile(file)
		require.NoError(t, err)
		require.True(t, bytes.HasSuffix(text, []byte("}\n")))
		require.Equal(t, schemas.URN+strings.TrimSuffix(path.Base(file), ".json"), document(t, file)["$id"], file)
		require.Equal(t, "https://json-schema.org/draft/2020-12/schema", document(t, file)["$schema"], file)
		return nil
	}))
}
