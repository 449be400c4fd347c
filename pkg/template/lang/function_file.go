package lang

import (
	"encoding/base64"
	"errors"
	"io/fs"
	"path"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// fileFunctions read below root only: a path that leaves it is an error, and root is expected not to follow links.
func fileFunctions(root fs.FS) map[string]function.Function {
	reading := func(f func(name string, data []byte) (string, error)) function.Function {
		return text(cty.String, func(a []string) (cty.Value, error) {
			data, err := readFile(root, a[0])
			if err != nil {
				return cty.UnknownVal(cty.String), err
			}
			s, err := f(a[0], data)
			return cty.StringVal(s), err
		}, "path")
	}
	set := map[string]function.Function{
		"basename": text(cty.String, func(a []string) (cty.Value, error) { return cty.StringVal(path.Base(a[0])), nil }, "path"),
		"dirname":  text(cty.String, func(a []string) (cty.Value, error) { return cty.StringVal(path.Dir(a[0])), nil }, "path"),
		"file": reading(func(name string, data []byte) (string, error) {
			if !utf8.Valid(data) {
				return "", argumentError(0, "%q is not UTF-8 text; filebase64 reads any file", name)
			}
			return string(data), nil
		}),
		"filebase64": reading(func(_ string, data []byte) (string, error) { return base64.StdEncoding.EncodeToString(data), nil }),
		"fileexists": text(cty.Bool, func(a []string) (cty.Value, error) { return fileExists(root, a[0]) }, "path"),
		"fileset":    fileSet(root),
	}
	for name, sum := range hashes() {
		name = map[string]string{"base64sha256": "filebase64sha256", "base64sha512": "filebase64sha512"}[name] + plain(name)
		set[name] = reading(func(_ string, data []byte) (string, error) { return sum(data), nil })
	}
	return set
}

// plain is the name of the function that hashes a file, for the hashes that are not written in base64.
func plain(hash string) string {
	if hash[0] == 'b' {
		return ""
	}
	return "file" + hash
}

// within turns a path of an expression into one below the template's folder.
func within(name string) (string, error) {
	clean := path.Clean(name)
	if path.IsAbs(name) || !fs.ValidPath(clean) {
		return "", argumentError(0, "%q leaves the template's folder; only files below it can be read", name)
	}
	return clean, nil
}

func readFile(root fs.FS, name string) ([]byte, error) {
	clean, err := within(name)
	if err != nil {
		return nil, err
	}
	data, err := fs.ReadFile(root, clean)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, argumentError(0, "there is no file %q in the template's folder", name)
	case err != nil:
		return nil, argumentError(0, "%q can't be read as a file", name)
	}
	return data, nil
}

func fileExists(root fs.FS, name string) (cty.Value, error) {
	clean, err := within(name)
	if err != nil {
		return cty.UnknownVal(cty.Bool), err
	}
	info, err := fs.Stat(root, clean)
	return cty.BoolVal(err == nil && info.Mode().IsRegular()), nil
}

func fileSet(root fs.FS) function.Function {
	return text(cty.Set(cty.String), func(a []string) (cty.Value, error) {
		dir, err := within(a[0])
		if err != nil {
			return cty.UnknownVal(cty.Set(cty.String)), err
		}
		if _, err := within(a[1]); err != nil {
			return cty.UnknownVal(cty.Set(cty.String)), err
		}
		var found []cty.Value
		err = fs.WalkDir(root, dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			rel := name
			if dir != "." {
				rel = name[len(dir)+1:]
			}
			ok, err := matchPath(a[1], rel)
			if ok {
				found = append(found, cty.StringVal(rel))
			}
			return err
		})
		switch {
		case errors.Is(err, path.ErrBadPattern):
			return cty.UnknownVal(cty.Set(cty.String)), argumentError(1, "%q is not a pattern", a[1])
		case err != nil:
			return cty.UnknownVal(cty.Set(cty.String)), argumentError(0, "there is no folder %q in the template's folder", a[0])
		case len(found) == 0:
			return cty.SetValEmpty(cty.String), nil
		}
		return cty.SetVal(found), nil
	}, "path", "pattern")
}

// templateFile renders a file with the given variables; the file may call every function but templatefile itself.
func templateFile(root fs.FS, all map[string]function.Function) function.Function {
	inner := make(map[string]function.Function, len(all))
	for name, f := range all {
		inner[name] = f
	}
	render := func(args []cty.Value) (cty.Value, error) {
		data, err := readFile(root, args[0].AsString())
		if err != nil {
			return cty.DynamicVal, err
		}
		expr, diags := hclsyntax.ParseTemplate(data, args[0].AsString(), hcl.InitialPos)
		if diags.HasErrors() {
			return cty.DynamicVal, argumentError(0, "%s", diags.Error())
		}
		vars, err := variables(args[1])
		if err != nil {
			return cty.DynamicVal, err
		}
		for _, t := range expr.Variables() {
			if _, given := vars[t.RootName()]; !given {
				return cty.DynamicVal, argumentError(1, "%s needs the variable %q, which is not given", t.SourceRange(), t.RootName())
			}
		}
		v, diags := expr.Value(&hcl.EvalContext{Variables: vars, Functions: inner})
		if diags.HasErrors() {
			return cty.DynamicVal, argumentError(0, "%s", diags.Error())
		}
		return v, nil
	}
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}, {Name: "vars", Type: cty.DynamicPseudoType}},
		Type:   func([]cty.Value) (cty.Type, error) { return cty.DynamicPseudoType, nil },
		Impl:   func(args []cty.Value, _ cty.Type) (cty.Value, error) { return render(args) },
	})
}

func variables(v cty.Value) (map[string]cty.Value, error) {
	if t := v.Type(); !t.IsObjectType() && !t.IsMapType() {
		return nil, argumentError(1, "the variables have to be a map or an object")
	}
	vars := v.AsValueMap()
	for name := range vars {
		if !hclsyntax.ValidIdentifier(name) {
			return nil, argumentError(1, "%q can't be the name of a variable", name)
		}
	}
	return vars, nil
}
