package schemas

//go:generate go run ./internal/generate

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Files are all documents: answers/, cluster/, commands/, events/ and runner/ with a schema a type, asyncapi.json, openapi.json.
//
//go:embed answers cluster commands events runner asyncapi.json openapi.json
var Files embed.FS

// URN begins the $id of every schema.
const URN = "urn:vivarium:schema:"

// ID is the $id of the schema of a type, which is a CloudEvents type (vivarium.environment.create.v1) or its name
// (environment.create).
func ID(typ string) string {
	if name, ok := event.NameOf(typ); ok {
		typ = name
	}
	return URN + typ + event.TypeSuffix
}

// Types are the CloudEvents types that have a schema, sorted.
func Types() ([]string, error) {
	all, err := compiled()
	if err != nil {
		return nil, err
	}
	var types []string
	for id := range all {
		types = append(types, event.TypePrefix+strings.TrimPrefix(id, URN))
	}
	slices.Sort(types)
	return types, nil
}

// Validate checks a CloudEvent against the schema of a type, given as in ID. A type without a schema is
// fault.NotFound, a document that does not fit fault.Invalid with what does not. It is safe for concurrent use.
func Validate(typ string, document []byte) error {
	all, err := compiled()
	if err != nil {
		return err
	}
	schema, ok := all[ID(typ)]
	if !ok {
		return fault.New(fault.Reject, fault.NotFound, "there is no schema for messages of type %q", typ)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return fault.Wrap(err, fault.Reject, fault.Unreadable, "the document is not JSON")
	}
	if err := schema.Validate(value); err != nil {
		return fault.Wrap(err, fault.Reject, fault.Invalid, "the document does not fit the schema of %s: %v", typ, err)
	}
	return nil
}

// compiled are the schemas by $id, compiled at the first use.
var compiled = sync.OnceValues(func() (map[string]*jsonschema.Schema, error) {
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	var ids []string
	err := fs.WalkDir(Files, ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Dir(file) == "." {
			return err
		}
		text, err := Files.ReadFile(file)
		if err != nil {
			return err
		}
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		id := URN + strings.TrimSuffix(path.Base(file), ".json")
		ids = append(ids, id)
		return compiler.AddResource(id, document)
	})
	if err != nil {
		return nil, err
	}
	all := make(map[string]*jsonschema.Schema, len(ids))
	for _, id := range ids {
		if all[id], err = compiler.Compile(id); err != nil {
			return nil, err
		}
	}
	return all, nil
})
