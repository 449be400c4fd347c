package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/vivarium-env/vivarium/pkg/secret"
)

// call is one request whose parameters were found good.
type call struct {
	echo   echo.Context
	route  route
	values map[string][]string
	given  map[string]bool // parameters that were there, even without a value
	mime   string          // of the answer, as the client wants it
}

const maxText = 1024 // bytes of a parameter

func newCall(r route, c echo.Context) (*call, error) {
	k := &call{echo: c, route: r, values: map[string][]string{}, given: map[string]bool{}}
	var query url.Values
	var err error
	if raw := c.Request().URL.RawQuery; raw != "" {
		if query, err = url.ParseQuery(raw); err != nil {
			return nil, badParameter("?", "the query can't be read: %v", err)
		}
	}
	for name := range query {
		if !slices.ContainsFunc(r.query, func(p parameter) bool { return p.name == name }) {
			return nil, badParameter(name, "not known here; this address takes %s", known(r.query))
		}
	}
	for _, p := range r.query {
		if err := k.take(p, query[p.name]); err != nil {
			return nil, err
		}
	}
	for _, p := range r.headers {
		if err := k.take(p, c.Request().Header.Values(p.name)); err != nil {
			return nil, err
		}
	}
	if k.text("format") != "" {
		return k, nil // it comes before the header
	}
	k.mime, err = r.agree(c)
	return k, err
}

func known(all []parameter) string {
	if len(all) == 0 {
		return "no parameters"
	}
	names := make([]string, len(all))
	for i, p := range all {
		names[i] = p.name
	}
	return strings.Join(names, ", ")
}

// take keeps the values of a parameter; empty ones count as not given.
func (k *call) take(p parameter, raw []string) error {
	if len(raw) == 0 {
		return nil
	}
	k.given[p.name] = true
	var values []string
	for _, text := range raw {
		parts := []string{text}
		if p.commas {
			parts = strings.Split(text, ",")
		}
		for _, part := range parts {
			if part != "" {
				values = append(values, part)
			}
		}
	}
	if len(values) > 1 && !p.many {
		return badParameter(p.name, "given %d times; give it once", len(values))
	}
	for _, value := range values {
		if !p.takes(value) {
			return badParameter(p.name, "%q is not allowed; allowed: %s", clip(value), p.allows())
		}
	}
	k.values[p.name] = values
	return nil
}

func (p parameter) takes(value string) bool {
	switch {
	case len(p.enum) > 0:
		return slices.Contains(p.enum, value)
	case p.kind == flagValue:
		return value == "true" || value == "false"
	case p.kind == numberValue:
		n, err := strconv.ParseUint(value, 10, 64)
		return err == nil && n >= p.min && (p.max == 0 || n <= p.max)
	case p.kind == positionValue:
		_, ok := parsePosition(value)
		return ok
	case p.kind == timeValue:
		_, err := time.Parse(time.RFC3339, value)
		return err == nil
	default:
		return len(value) <= maxText && utf8.ValidString(value)
	}
}

func bounds(low, high uint64) string {
	if high == 0 {
		return fmt.Sprintf("a whole number from %d", low)
	}
	return fmt.Sprintf("a whole number from %d to %d", low, high)
}

// clip keeps what a problem repeats of the request short.
func clip(value string) string {
	const most = 64
	if len(value) <= most {
		return value
	}
	return strings.ToValidUTF8(value[:most], "") + "..."
}

func (k *call) list(name string) []string { return k.values[name] }

func (k *call) text(name string) string {
	if values := k.values[name]; len(values) > 0 {
		return values[0]
	}
	for _, p := range k.route.query {
		if p.name == name {
			return p.initial
		}
	}
	return ""
}

func (k *call) number(name string) uint64 {
	if values := k.values[name]; len(values) > 0 {
		n, _ := strconv.ParseUint(values[0], 10, 64) // take has checked it
		return n
	}
	for _, p := range k.route.query {
		if p.name == name {
			return p.absent
		}
	}
	return 0
}

func (k *call) flag(name string) bool { return k.given[name] && k.text(name) != "false" }

// path is a parameter of the path, unescaped.
func (k *call) path(name string) string {
	value := k.echo.Param(name)
	if k.echo.Request().URL.RawPath == "" {
		return value // the router has matched the decoded path
	}
	if plain, err := url.PathUnescape(value); err == nil {
		return plain
	}
	return value
}

func (k *call) context() context.Context { return k.echo.Request().Context() }

// streams tells whether the client wants a stream and the route has one.
func (k *call) streams() bool {
	return k.route.live && (k.flag("follow") || accepts(k.echo.Request().Header.Values(echo.HeaderAccept), mimeStream))
}

// accepts tells whether a type is named, other than by a wildcard, and not with a weight of zero.
func accepts(headers []string, want string) bool {
	for _, element := range strings.Split(strings.Join(headers, ","), ",") {
		named, parameters, err := mime.ParseMediaType(element)
		if err != nil || named != want {
			continue
		}
		if weight, err := strconv.ParseFloat(parameters["q"], 64); err != nil || weight > 0 {
			return true
		}
	}
	return false
}

// answer sends v as JSON, without the values of secrets. It has a tag of its contents, unless it has one already, and is
// not sent to who has it.
func (k *call) answer(v any) error {
	text, err := shown(v)
	if err == nil {
		text, err = k.only(text)
	}
	if err != nil {
		return err
	}
	header := k.echo.Response().Header()
	if header.Get(echo.HeaderCacheControl) == "" {
		header.Set(echo.HeaderCacheControl, "no-cache")
	}
	if header.Get("ETag") == "" {
		sum := sha256.Sum256(text)
		tag := `"` + hex.EncodeToString(sum[:12]) + `"`
		header.Set("ETag", "W/"+tag) // weak: it may be compressed on the way
		if matches(k.echo.Request().Header.Values("If-None-Match"), tag) {
			return k.echo.NoContent(http.StatusNotModified)
		}
	}
	return k.echo.Blob(http.StatusOK, mimeJSON, text)
}

// shown is v as JSON in which sealed values are replaced.
func shown(v any) (json.RawMessage, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return secret.Show(text), nil
}

// next tells the address of the following page, which differs from this one in a parameter.
func (k *call) next(name, value string) {
	if value == "" {
		return
	}
	here := *k.echo.Request().URL
	query := here.Query()
	query.Set(name, value)
	here.RawQuery = query.Encode()
	k.echo.Response().Header().Set("Link", "<"+here.RequestURI()+`>; rel="next"`)
}
