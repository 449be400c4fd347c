package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

const (
	// stalled is how long one write may take before a client counts as gone.
	stalled = 30 * time.Second
	// gather lets changes that follow each other closely be read at once.
	gather = 10 * time.Millisecond
	// reconnect is what clients are told to wait before they come back, in milliseconds.
	reconnect = "1000"
	// flushSize is how much is gathered before it is written, in bytes.
	flushSize = 64 << 10
)

// progress of a stream after a read.
type progress int

const (
	waiting progress = iota // all that is there was sent
	more                    // there is more to read at once
	ended                   // nothing will come any more
)

// pace says when a stream reads again: at a wake, when not nil, and every so often.
type pace struct {
	wake  <-chan struct{}
	every time.Duration
}

// errGone: the client does not take what it is sent.
var errGone = errors.New("the client of a stream is gone")

// stream sends server-sent events until the client goes, the server stops, or read has ended. It runs in the
// request's goroutine and has no other.
func (s *Server) stream(ctx context.Context, k *call, p pace, read func(*eventWriter) (progress, error)) error {
	w, err := openStream(k)
	if err != nil || k.echo.Request().Method == http.MethodHead {
		return err
	}
	heartbeat, again := time.NewTicker(s.options.Heartbeat), time.NewTicker(p.every)
	defer heartbeat.Stop()
	defer again.Stop()
	for {
		got, err := read(w)
		if err != nil {
			return s.broken(ctx, k, w, err)
		}
		if got == ended {
			return nil
		}
		if got == more && !s.leaving(ctx) {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.stopping:
			return nil
		case <-heartbeat.C:
			if w.comment("heartbeat") != nil {
				return nil
			}
		case <-again.C:
		case _, open := <-p.wake:
			if !open {
				return nil // the store is closed
			}
			s.pause(ctx)
		}
	}
}

func (s *Server) leaving(ctx context.Context) bool {
	select {
	case <-s.stopping:
		return true
	default:
		return ctx.Err() != nil
	}
}

func (s *Server) pause(ctx context.Context) {
	timer := time.NewTimer(gather)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-s.stopping:
	}
}

// broken ends a stream. The status is long sent, so an error of ours becomes an event.
func (s *Server) broken(ctx context.Context, k *call, w *eventWriter, err error) error {
	if errors.Is(err, errGone) || ctx.Err() != nil {
		return nil
	}
	problem := problemOf(err)
	problem.Instance = k.echo.Request().URL.EscapedPath()
	s.options.Log.Error("a stream failed", "path", problem.Instance, "error", err)
	if w.send("", "error", problem) == nil {
		_ = w.flush() // the client may be gone as well, and then nobody is to be told
	}
	return nil
}

// eventWriter writes server-sent events.
type eventWriter struct {
	response *echo.Response
	control  *http.ResponseController
	pending  bytes.Buffer
}

// openStream sends the headers, and lifts the deadlines that are meant for requests that end.
func openStream(k *call) (*eventWriter, error) {
	response := k.echo.Response()
	header := response.Header()
	header.Set(echo.HeaderContentType, mimeStream)
	header.Set(echo.HeaderCacheControl, "no-cache")
	header.Set("X-Accel-Buffering", "no") // asks proxies to pass events on at once
	w := &eventWriter{response: response, control: http.NewResponseController(response.Writer)}
	if err := w.control.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, err
	}
	response.WriteHeader(http.StatusOK)
	w.pending.WriteString("retry: " + reconnect + "\n\n")
	return w, w.flush()
}

// send adds an event. Data is written on one line, which JSON allows. An empty id leaves the client's as it is.
func (w *eventWriter) send(id, event string, data any) error {
	text, err := shown(data)
	if err != nil {
		return err
	}
	if id != "" {
		w.pending.WriteString("id: " + id + "\n")
	}
	w.pending.WriteString("event: " + event + "\ndata: ")
	if err := json.Compact(&w.pending, text); err != nil {
		return err
	}
	w.pending.WriteString("\n\n")
	if w.pending.Len() < flushSize {
		return nil
	}
	return w.flush()
}

func (w *eventWriter) comment(text string) error {
	w.pending.WriteString(": " + text + "\n\n")
	return w.flush()
}

// flush sends what is pending, and gives the client a bounded time to take it.
func (w *eventWriter) flush() error {
	if w.pending.Len() == 0 {
		return nil
	}
	if err := w.control.SetWriteDeadline(time.Now().Add(stalled)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return errors.Join(errGone, err)
	}
	if _, err := w.response.Write(w.pending.Bytes()); err != nil {
		return errors.Join(errGone, err)
	}
	w.pending.Reset()
	if err := w.control.Flush(); err != nil {
		return errors.Join(errGone, err)
	}
	return nil
}
