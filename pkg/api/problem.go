package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/store"
)

const (
	mimeJSON    = "application/json"
	mimeProblem = "application/problem+json"
	mimeStream  = "text/event-stream"
	mimeText    = "text/plain"
	mimeDOT     = "text/vnd.graphviz"
	mimeMermaid = "text/vnd.mermaid"
	mimeSVG     = "image/svg+xml"
)

// methodNotAllowed is the one code that only HTTP has.
const methodNotAllowed fault.Code = "method-not-allowed"

// tooMany is the code of what a limit refuses.
const tooMany fault.Code = "too-many-requests"

// problemError is an error that has its status, and may have more to show than a fault.
type problemError struct {
	status int
	cause  *fault.Error
	checks []wire.CheckResult
}

func (e *problemError) Error() string { return e.cause.Error() }
func (e *problemError) Unwrap() error { return e.cause }

func badParameter(name, format string, args ...any) error {
	return &problemError{status: http.StatusBadRequest,
		cause: fault.New(fault.Reject, fault.Invalid, "parameter \""+name+"\": "+format, args...)}
}

func notFound(format string, args ...any) error {
	return fault.New(fault.Reject, fault.NotFound, format, args...)
}

// statuses of the codes that do not follow from the disposition.
var statuses = map[fault.Code]int{
	fault.NotFound:          http.StatusNotFound,
	fault.UnknownTemplate:   http.StatusNotFound,
	fault.InvalidTemplate:   http.StatusUnprocessableEntity,
	fault.Unavailable:       http.StatusServiceUnavailable,
	fault.SecretUnavailable: http.StatusServiceUnavailable,
	fault.NotMeasured:       http.StatusServiceUnavailable,
	fault.Timeout:           http.StatusGatewayTimeout,
	fault.Cancelled:         http.StatusServiceUnavailable,
	methodNotAllowed:        http.StatusMethodNotAllowed,
}

// problemOf finds what is shown of an error.
func problemOf(err error) wire.Problem {
	var own *problemError
	var framework *echo.HTTPError
	var f *fault.Error
	status := 0
	switch {
	case errors.As(err, &own):
		f, status = own.cause, own.status
	case errors.As(err, &framework) && framework.Code == http.StatusNotFound:
		f = fault.New(fault.Reject, fault.NotFound, "there is nothing at this address; GET %s/doc lists what there is", wire.Prefix)
	case errors.As(err, &framework) && framework.Code < http.StatusInternalServerError:
		f, status = fault.Wrap(err, fault.Reject, fault.Invalid, "%s", strings.ToLower(http.StatusText(framework.Code))), framework.Code
	case errors.Is(err, store.ErrNotFound):
		f = fault.Wrap(err, fault.Reject, fault.NotFound, "there is no such record")
	case errors.Is(err, store.ErrCursor):
		f = fault.Wrap(err, fault.Reject, fault.Invalid, "parameter \"cursor\": not a cursor of this list; take it from \"next\" of an answer")
	default:
		f = fault.From(err)
	}
	if status == 0 {
		status = statusOf(f)
	}
	p := wire.Problem{
		Type: "urn:vivarium:problem:" + string(f.Code), Title: title(f.Code), Status: status,
		Detail: f.Message, Code: f.Code, Diagnostics: f.Diagnostics,
	}
	if own != nil {
		p.Checks = own.checks
	}
	return p
}

func statusOf(f *fault.Error) int {
	if status, ok := statuses[f.Code]; ok {
		return status
	}
	if f.Disposition == fault.Reject {
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}

// title is the code in words: the same for every occurrence, as RFC 9457 asks.
func title(code fault.Code) string {
	words := strings.ReplaceAll(string(code), "-", " ")
	if words == "" {
		return "Error"
	}
	return strings.ToUpper(words[:1]) + words[1:]
}

// fail is echo's error handler: every error, also the router's own, becomes a problem.
func (s *Server) fail(err error, c echo.Context) {
	problem := problemOf(err)
	problem.Instance = c.Request().URL.EscapedPath()
	problem.RequestID = c.Response().Header().Get(echo.HeaderXRequestID)
	s.report(err, problem)
	if c.Response().Committed {
		return
	}
	text, err := json.Marshal(problem)
	if err == nil {
		c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
		err = c.Blob(problem.Status, mimeProblem, secret.Show(text))
	}
	if err != nil {
		s.options.Log.Debug("a problem could not be told", "path", problem.Instance, "error", err)
	}
}

// report logs what went wrong inside. That something is not there at the moment (503) is no news to whoever asks whether
// it is, every few seconds.
func (s *Server) report(err error, p wire.Problem) {
	switch {
	case p.Status < http.StatusInternalServerError, errors.Is(err, context.Canceled):
	case p.Status == http.StatusServiceUnavailable:
		s.options.Log.Debug("not available", "path", p.Instance, "request_id", p.RequestID, "error", err)
	default:
		s.options.Log.Error("a request failed", "path", p.Instance, "status", p.Status, "request_id", p.RequestID, "error", err)
	}
}
