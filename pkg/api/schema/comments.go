package schema

import (
	_ "embed"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"strings"
)

// Module is the path that the commented packages are imported by.
const Module = "github.com/vivarium-env/vivarium"

// Commented are the packages whose comments describe what travels, relative to the module's root.
var Commented = []string{"pkg/api/wire", "pkg/bus", "pkg/environment", "pkg/event", "pkg/fault", "pkg/store"}

//go:embed comments.json
var comments []byte

func builtin() map[string]string {
	var all map[string]string
	if err := json.Unmarshal(comments, &all); err != nil {
		panic("schema: comments.json was not written by the generator: " + err.Error())
	}
	return all
}

// ReadComments reads the comments of the commented packages' structs from the source below root, the module's folder.
func ReadComments(root string) (map[string]string, error) {
	all := map[string]string{}
	for _, dir := range Commented {
		files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(dir), "*.go"))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				return nil, err
			}
			collect(all, path.Join(Module, dir), parsed)
		}
	}
	return all, nil
}

// collect adds the comments of a file's structs and of their fields.
func collect(all map[string]string, pkg string, file *ast.File) {
	for _, decl := range file.Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok || group.Tok != token.TYPE {
			continue
		}
		for _, spec := range group.Specs {
			named, ok := spec.(*ast.TypeSpec)
			if !ok {
				continue
			}
			record, ok := named.Type.(*ast.StructType)
			if !ok || !named.Name.IsExported() {
				continue
			}
			key := pkg + "." + named.Name.Name
			add(all, key, named.Doc, group.Doc)
			for _, field := range record.Fields.List {
				for _, name := range field.Names {
					add(all, key+"."+name.Name, field.Doc, field.Comment)
				}
			}
		}
	}
}

// add keeps the first of the comments that says something, as one line.
func add(all map[string]string, key string, groups ...*ast.CommentGroup) {
	for _, group := range groups {
		if text := strings.Join(strings.Fields(group.Text()), " "); text != "" {
			all[key] = text
			return
		}
	}
}
