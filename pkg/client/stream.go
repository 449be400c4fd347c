package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/resilience"
	"github.com/vivarium-env/vivarium/pkg/store"
)

const (
	// silence is after how long without even a heartbeat a stream counts as broken: three of the server's.
	silence = 45 * time.Second
	// firstPause before a stream is taken up again; it doubles up to lastPause while the server can't be reached.
	firstPause = 200 * time.Millisecond
	lastPause  = 5 * time.Second
	// longest line of a stream in bytes.
	longest = 64 << 20
)

// FollowJournal calls fn for every entry of an environment behind a sequence, in order, and goes on as new ones come.
// A stream that breaks is taken up again behind the last entry, for as long as it takes; only a server that can't be
// reached in the first place is an error. It returns fn's error as soon as there is one, the server's refusal (such as
// fault.NotFound), or fault.Cancelled or fault.Timeout when ctx ends.
func (a *API) FollowJournal(ctx context.Context, name string, behind uint64, fn func(store.Entry) error) error {
	return a.follow(ctx, of(name, "journal"), url.Values{}, behind, func(e streamEvent) (bool, error) {
		var entry store.Entry
		if err := e.decode(&entry); err != nil {
			return false, err
		}
		return false, fn(entry)
	})
}

// FollowLogs is FollowJournal for lines. With UntilSettled it returns nil once what is followed is over and its lines were
// given to fn. What the server says was missed goes to Missed.
func (a *API) FollowLogs(ctx context.Context, name string, f LogFilter, fn func(store.LogRecord) error) error {
	path, q := f.path(name), f.selection()
	q.Set("follow", "true")
	if f.UntilSettled {
		q.Set("until", "ended")
	}
	return a.follow(ctx, path, q, f.After, func(e streamEvent) (bool, error) {
		switch e.name {
		case "end":
			return true, nil
		case "missed":
			return false, f.miss(e)
		}
		var line store.LogRecord
		if err := e.decode(&line); err != nil {
			return false, err
		}
		return false, fn(line)
	})
}

func (f LogFilter) miss(e streamEvent) error {
	var missed wire.Missed
	if err := e.decode(&missed); err != nil || f.Missed == nil {
		return err
	}
	return f.Missed(missed)
}

// streamEvent is one server-sent event.
type streamEvent struct {
	id   position // zero when it has none
	name string
	data string
}

// position in a stream. Its number grows; the text is what the server takes to go on behind it.
type position struct {
	number uint64
	text   string
}

func behindNumber(n uint64) position { return position{n, strconv.FormatUint(n, 10)} }

// readPosition reads an id; what does not begin with a number is no position to go on from.
func readPosition(text string) position {
	digits, _, _ := strings.Cut(text, "-")
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return position{}
	}
	return position{n, text}
}

func (e streamEvent) decode(v any) error {
	if err := json.Unmarshal([]byte(e.data), v); err != nil {
		return fault.Wrap(err, fault.GiveUp, fault.Unreadable, "the stream has an event %q that can't be read", e.name)
	}
	return nil
}

// handlerError tells the error of whoever takes the events from those of the stream.
type handlerError struct{ error }

// follow takes a stream up again until handle is done or ctx ends.
func (a *API) follow(ctx context.Context, path string, q url.Values, after uint64, handle func(streamEvent) (done bool, err error)) error {
	pause, connected, behind, begun := firstPause, false, behindNumber(after), time.Now()
	for {
		last := behind
		done, err := a.once(ctx, path, q, &behind, &connected, handle)
		var own handlerError
		switch {
		case done:
			return nil
		case errors.As(err, &own):
			return own.error
		case ctx.Err() != nil:
			return fault.From(ctx.Err())
		case err != nil && (!passes(err) || !connected && time.Since(begun) >= a.patience):
			return err
		}
		if behind != last {
			pause = firstPause
		}
		if err := resilience.Pause(ctx, pause); err != nil {
			return fault.From(err)
		}
		pause = min(2*pause, lastPause)
	}
}

// passes tells whether trying again may help.
func passes(err error) bool {
	d := fault.From(err).Disposition
	return d == fault.Wait || d == fault.Retry
}

// once reads one connection to its end.
func (a *API) once(
	ctx context.Context, path string, q url.Values, behind *position, connected *bool, handle func(streamEvent) (bool, error),
) (bool, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watchdog := time.AfterFunc(silence, cancel)
	defer watchdog.Stop()
	header := http.Header{"Accept": {"text/event-stream"}, "Last-Event-Id": {behind.text}}
	response, err := a.ask(ctx, path, q, header)
	if err != nil {
		return false, err
	}
	defer closeBody(response)
	if kind := response.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/event-stream") {
		return false, fault.New(fault.GiveUp, fault.Unreadable, "%s answers with %q instead of a stream", a.base+path, kind)
	}
	*connected = true
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, longest)
	for {
		event, err := readEvent(lines, watchdog)
		if err != nil {
			return false, err
		}
		if event.name == "error" {
			return false, told(event)
		}
		if event.id.number != 0 && event.id.number <= behind.number {
			continue
		}
		done, err := handle(event)
		if err != nil {
			return false, handlerError{err}
		}
		if event.id.number != 0 {
			*behind = event.id
		}
		if done {
			return true, nil
		}
	}
}

// errBroken: the connection has ended, which says nothing about the stream.
var errBroken = fault.New(fault.Retry, fault.Unavailable, "the stream broke off")

// readEvent reads up to the next whole event; anything that comes, comments too, shows that the server is there.
func readEvent(lines *bufio.Scanner, watchdog *time.Timer) (streamEvent, error) {
	var e streamEvent
	for lines.Scan() {
		watchdog.Reset(silence)
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "id":
			e.id = readPosition(value)
		case "event":
			e.name = value
		case "data":
			if e.data != "" {
				e.data += "\n"
			}
			e.data += value
		case "":
			if lines.Text() == "" && e.data != "" {
				return e, nil
			}
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return e, fault.New(fault.GiveUp, fault.Unreadable, "the stream has an event of more than %d bytes", longest)
	}
	return e, errBroken
}

// told is the error that a server ends a stream with.
func told(e streamEvent) error {
	var p wire.Problem
	if json.Unmarshal([]byte(e.data), &p) != nil || p.Code == "" {
		return errBroken
	}
	return fault.New(disposition(p.Status), p.Code, "%s", p.Detail)
}
