package api

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"regexp"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/vivarium-env/vivarium/pkg/api/schema"
	"github.com/vivarium-env/vivarium/pkg/bundle"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// mimeGzip is the type of a body. No form of a web page sends it, so that no page asks in a reader's name.
const mimeGzip = "application/gzip"

// asking matches the paths that take a question with a body.
func asking() *regexp.Regexp {
	var paths []string
	for _, r := range routes() {
		if r.asks != "" {
			paths = append(paths, braces.ReplaceAllString(r.path, "[^/]+"))
		}
	}
	return regexp.MustCompile("^(" + strings.Join(paths, "|") + ")$")
}

// body is what a POST has sent, at most bundle.MaxPacked; nil for other methods.
func (k *call) body() ([]byte, error) {
	r := k.echo.Request()
	if r.Method != http.MethodPost {
		return nil, nil
	}
	if r.Header.Get(echo.HeaderContentType) != mimeGzip {
		return nil, &problemError{status: http.StatusUnsupportedMediaType, cause: fault.New(fault.Reject, fault.Invalid, "the body has to be %s", mimeGzip)}
	}
	if k.given["version"] {
		return nil, badParameter("version", "the folder that was sent says which version it is")
	}
	data, err := io.ReadAll(http.MaxBytesReader(k.echo.Response(), r.Body, bundle.MaxPacked))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, &problemError{status: http.StatusRequestEntityTooLarge, cause: fault.New(fault.Reject, fault.Invalid, "the body has more than %d bytes", large.Limit)}
	case err != nil:
		return nil, fault.Wrap(err, fault.Reject, fault.Invalid, "the body broke off")
	}
	return data, nil
}

// withBody describes the POST of a route that takes a question with a body.
func withBody(row route, get schema.Object) schema.Object {
	post := maps.Clone(get)
	post["operationId"] = row.id + "Of"
	post["summary"] = row.summary + " (a question with a body: it changes nothing)"
	post["requestBody"] = schema.Object{"required": true, "description": row.asks,
		"content": schema.Object{mimeGzip: schema.Object{"schema": schema.Object{"type": "string", "contentMediaType": mimeGzip}}}}
	return post
}
