package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"golang.org/x/time/rate"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

const allowed = "GET, HEAD"

// leastGzip is from what size on an answer is compressed for those who take it, in bytes.
const leastGzip = 1024

// streaming tells whether an answer may go on, and has to be heard as it comes; what has no body is not compressed either.
func streaming(c echo.Context) bool {
	r := c.Request()
	return r.Method == http.MethodHead || r.URL.Query().Has("follow") || accepts(r.Header.Values(echo.HeaderAccept), mimeStream)
}

// router makes echo with the routes of the table.
func (s *Server) router() *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = s.fail
	e.Pre(s.identify, s.access, s.recover, readOnly(asking()))
	e.Use(middleware.GzipWithConfig(middleware.GzipConfig{MinLength: leastGzip, Skipper: streaming}))
	if s.options.RateLimit > 0 {
		e.IPExtractor = echo.ExtractIPDirect() // what a client says of its own address counts for nothing
		e.Use(limiting(s.options.RateLimit))
	}
	for _, r := range routes() {
		handle := s.handler(r)
		e.GET(echoPath(r.path), handle)
		e.HEAD(echoPath(r.path), handle)
		if r.asks != "" {
			e.POST(echoPath(r.path), handle)
		}
	}
	return e
}

// limiting refuses what one address asks for beyond its rate, with when to come back.
func limiting(perSecond int) echo.MiddlewareFunc {
	return middleware.RateLimiterWithConfig(middleware.RateLimiterConfig{
		Skipper: func(c echo.Context) bool { return strings.HasPrefix(c.Path(), wire.Prefix+"/self/") },
		Store: middleware.NewRateLimiterMemoryStoreWithConfig(middleware.RateLimiterMemoryStoreConfig{
			Rate: rate.Limit(perSecond), Burst: 2 * perSecond, ExpiresIn: 3 * time.Minute}),
		DenyHandler: func(c echo.Context, _ string, _ error) error {
			c.Response().Header().Set(echo.HeaderRetryAfter, "1")
			return &problemError{status: http.StatusTooManyRequests, cause: fault.New(fault.Retry, tooMany,
				"more than %d requests a second from one address; ask again in a second", perSecond)}
		},
	})
}

// handler parses what the route declares, bounds the request and answers.
func (s *Server) handler(r route) echo.HandlerFunc {
	r.offered = r.offers()
	return func(c echo.Context) error {
		call, err := newCall(r, c)
		if err != nil {
			return err
		}
		if !call.streams() {
			ctx, cancel := context.WithTimeout(c.Request().Context(), s.options.Timeout)
			defer cancel()
			c.SetRequest(c.Request().WithContext(ctx))
		}
		return r.handle(s, call)
	}
}

// readOnly refuses every method that could change something, before it is looked at where to; questions are the paths that take
// a POST all the same. What is made here is made once: echo calls a middleware anew for each request.
func readOnly(questions *regexp.Regexp) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if m := c.Request().Method; m == http.MethodPost && questions.MatchString(c.Request().URL.EscapedPath()) {
				return next(c)
			} else if m != http.MethodGet && m != http.MethodHead {
				c.Response().Header().Set(echo.HeaderAllow, allowed)
				return fault.New(fault.Reject, methodNotAllowed,
					"the API is read only: it takes GET and HEAD; publish a command on the bus to change something")
			}
			return next(c)
		}
	}
}

// recover turns a panic into an error. http.ErrAbortHandler keeps its meaning.
func (s *Server) recover(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares it like this too
				panic(p)
			}
			s.options.Log.Error("a handler panicked", "path", c.Path(), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = fault.New(fault.GiveUp, fault.Internal, "an internal error; the server's log has the details")
		}()
		return next(c)
	}
}

// correlation is the header with which some clients say what a request belongs to.
const correlation = "X-Correlation-Id"

// identify gives every request an id: the client's, when it is short and printable, or a new one. A correlation id is given back, too,
// and is the request's where it has no other.
func (s *Server) identify(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		id := c.Request().Header.Get(echo.HeaderXRequestID)
		if with := c.Request().Header.Get(correlation); printable(with) {
			c.Response().Header().Set(correlation, with)
			if id == "" {
				id = with
			}
		}
		if !printable(id) {
			id = uuid.NewString()
		}
		c.Response().Header().Set(echo.HeaderXRequestID, id)
		c.Response().Header().Set(echo.HeaderXContentTypeOptions, "nosniff")
		if s.options.Lag != nil {
			c.Response().Header().Set(HeaderLag, lagText(s.options.Lag()))
		}
		return next(c)
	}
}

func printable(id string) bool {
	for _, b := range []byte(id) {
		if b < '!' || b > '~' {
			return false
		}
	}
	return id != "" && len(id) <= 128
}

// access answers an error itself, so that its line has the status that was sent.
func (s *Server) access(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		begin := time.Now()
		if err := next(c); err != nil {
			c.Error(err)
		}
		request, response := c.Request(), c.Response()
		if !s.options.Log.Enabled(request.Context(), slog.LevelDebug) {
			return nil
		}
		s.options.Log.Debug("request", "method", request.Method, "path", request.URL.Path, "status", response.Status,
			"bytes", response.Size, "took", time.Since(begin), "request_id", response.Header().Get(echo.HeaderXRequestID))
		return nil
	}
}
