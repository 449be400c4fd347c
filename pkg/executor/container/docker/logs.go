package docker

import (
	"bytes"
	"context"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"

	"github.com/vivarium-env/vivarium/pkg/executor/container/internal/replicas"
)

const (
	// lineBytes bounds a line; what is longer comes in pieces.
	lineBytes = 16 << 10
	// quiet is how long a container that has become healthy may be silent before its lines are no longer waited for.
	quiet = 100 * time.Millisecond
)

// lines cuts what is written into lines.
type lines struct {
	take func(line string)
	rest []byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		i := bytes.IndexByte(l.rest, '\n')
		switch {
		case i >= 0:
			l.take(strings.TrimSuffix(string(l.rest[:i]), "\r"))
			l.rest = l.rest[i+1:]
		case len(l.rest) >= lineBytes:
			l.take(string(l.rest))
			l.rest = nil
		default:
			return len(p), nil
		}
	}
}

func (l *lines) end() {
	if len(l.rest) > 0 {
		l.take(string(l.rest))
	}
}

// read gives a container's lines until there are no more, or ctx ends. The error is that of the client.
func (w *work) read(ctx context.Context, f found, o client.ContainerLogsOptions, line func(stream, line string)) error {
	o.ShowStdout, o.ShowStderr = true, true
	stream, err := w.docker.ContainerLogs(ctx, f.ID, o)
	if err != nil {
		return err
	}
	defer func() { _ = stream.Close() }()
	out := &lines{take: func(text string) { line("out", text) }}
	bad := &lines{take: func(text string) { line("err", text) }}
	defer func() { out.end(); bad.end() }()
	if f.Config.Tty {
		_, err = io.Copy(out, stream)
		return err
	}
	_, err = stdcopy.StdCopy(out, bad, stream)
	return err
}

// tail are the last lines of a container, as far as they can be had.
func (w *work) tail(ctx context.Context, f found) (last []string) {
	ctx, cancel := context.WithTimeout(ctx, w.options.Timeout)
	defer cancel()
	_ = w.read(ctx, f, client.ContainerLogsOptions{Tail: strconv.Itoa(replicas.TailLines)}, func(_, line string) { last = append(last, replicas.Cut(line, replicas.ShownBytes)) })
	return last
}

// echo logs what a container prints until it is called off; then what is on its way still comes.
func (w *work) echo(ctx context.Context, f found) (off func()) {
	if w.r.Log == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	heard := make(chan struct{}, 1)
	var done sync.WaitGroup
	done.Go(func() {
		_ = w.read(ctx, f, client.ContainerLogsOptions{Follow: true}, func(stream, line string) {
			w.r.Log(stream, w.r.Mask(replicas.Prefix(w.block, f)+line))
			select {
			case heard <- struct{}{}:
			default:
			}
		})
	})
	return func() {
		defer done.Wait()
		defer cancel()
		for end := time.After(time.Second); ; {
			select {
			case <-heard:
			case <-time.After(quiet):
				return
			case <-end:
				return
			case <-ctx.Done():
				return
			}
		}
	}
}
