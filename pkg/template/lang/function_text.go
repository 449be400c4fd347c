package lang

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"  //nolint:gosec // md5() and sha1() are there for systems that still ask for them, not for security
	"crypto/sha1" //nolint:gosec // see above
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// text makes a function of strings; an error keeps nothing of the arguments, for they may be secret.
func text(returns cty.Type, f func(args []string) (cty.Value, error), names ...string) function.Function {
	spec := &function.Spec{
		Type: function.StaticReturnType(returns),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			plain := make([]string, len(args))
			for i, a := range args {
				plain[i] = a.AsString()
			}
			return f(plain)
		},
	}
	for _, name := range names {
		spec.Params = append(spec.Params, function.Parameter{Name: name, Type: cty.String})
	}
	return function.New(spec)
}

func predicate(f func(s, part string) bool, names ...string) function.Function {
	return text(cty.Bool, func(a []string) (cty.Value, error) { return cty.BoolVal(f(a[0], a[1])), nil }, names...)
}

var (
	endsWithFunc    = predicate(strings.HasSuffix, "str", "suffix")
	startsWithFunc  = predicate(strings.HasPrefix, "str", "prefix")
	strContainsFunc = predicate(strings.Contains, "str", "substr")
)

// replaceFunc takes a substring that stands between slashes for a regular expression, as Terraform does.
var replaceFunc = text(cty.String, func(a []string) (cty.Value, error) {
	str, part, by := a[0], a[1], a[2]
	if len(part) < 2 || part[0] != '/' || part[len(part)-1] != '/' {
		return cty.StringVal(strings.ReplaceAll(str, part, by)), nil
	}
	pattern, err := regexp.Compile(part[1 : len(part)-1])
	if err != nil {
		return cty.UnknownVal(cty.String), function.NewArgErrorf(1, "not a regular expression: %s", err)
	}
	return cty.StringVal(pattern.ReplaceAllString(str, by)), nil
}, "str", "substr", "replace")

var timeCompareFunc = text(cty.Number, func(a []string) (cty.Value, error) {
	var at [2]time.Time
	for i := range at {
		t, err := time.Parse(time.RFC3339, a[i])
		if err != nil {
			return cty.UnknownVal(cty.Number), function.NewArgErrorf(i, "not a time in RFC 3339 form")
		}
		at[i] = t
	}
	return cty.NumberIntVal(int64(at[0].Compare(at[1]))), nil
}, "timestamp_a", "timestamp_b")

var base64GzipFunc = text(cty.String, func(a []string) (cty.Value, error) {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	if _, err := zip.Write([]byte(a[0])); err != nil {
		return cty.UnknownVal(cty.String), err
	}
	if err := zip.Close(); err != nil {
		return cty.UnknownVal(cty.String), err
	}
	return cty.StringVal(base64.StdEncoding.EncodeToString(out.Bytes())), nil
}, "str")

func hashes() map[string]func([]byte) string {
	return map[string]func([]byte) string{
		"md5":          func(b []byte) string { s := md5.Sum(b); return hex.EncodeToString(s[:]) },  //nolint:gosec // see above
		"sha1":         func(b []byte) string { s := sha1.Sum(b); return hex.EncodeToString(s[:]) }, //nolint:gosec // see above
		"sha256":       func(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) },
		"sha512":       func(b []byte) string { s := sha512.Sum512(b); return hex.EncodeToString(s[:]) },
		"base64sha256": func(b []byte) string { s := sha256.Sum256(b); return base64.StdEncoding.EncodeToString(s[:]) },
		"base64sha512": func(b []byte) string { s := sha512.Sum512(b); return base64.StdEncoding.EncodeToString(s[:]) },
	}
}

func hashFunction(sum func([]byte) string) function.Function {
	return text(cty.String, func(a []string) (cty.Value, error) { return cty.StringVal(sum([]byte(a[0]))), nil }, "str")
}

// impure are Terraform's functions whose result is another one each time. They are known by name so that the error
// says why they can't be had.
func impure() map[string]function.Function {
	set := map[string]function.Function{}
	for _, name := range []string{"timestamp", "plantimestamp", "uuid", "uuidv4", "bcrypt", "random", "randomstring"} {
		refused := fmt.Errorf("%s() is impure: it gives another value each time, and a template has to resolve to the same plan "+
			"whenever it is asked; take a parameter, or let a resource make the value", name)
		set[name] = function.New(&function.Spec{
			VarParam: &function.Parameter{
				Name: "args", Type: cty.DynamicPseudoType,
				AllowDynamicType: true, AllowUnknown: true, AllowNull: true, AllowMarked: true,
			},
			Type: func([]cty.Value) (cty.Type, error) { return cty.NilType, refused },
			Impl: func([]cty.Value, cty.Type) (cty.Value, error) { return cty.NilVal, refused },
		})
	}
	return set
}
