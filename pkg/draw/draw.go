package draw

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

const (
	// mostAtOnce is how many processes draw at the same time; the other requests wait for their turn.
	mostAtOnce = 2
	// mostBytes is how large a picture may get.
	mostBytes = 64 << 20
	// defaultTime is how long one may take.
	defaultTime = 20 * time.Second
)

// Options of a Drawer. Program is required.
type Options struct {
	// Program is the path of vivarium-draw, or of Graphviz' dot.
	Program string
	// Cache is a folder of the server's own, readable by nobody else: vivarium-draw keeps there, and loads again, the machine
	// code that it runs. It is made when it is not there.
	Cache string
	// Time is how long one picture may take; 0 takes 20 seconds.
	Time time.Duration
}

// Drawer draws. It is safe for concurrent use.
type Drawer struct {
	options Options
	slots   chan struct{}
}

// New makes a Drawer; nothing is started before the first picture is asked for.
func New(o Options) *Drawer {
	if o.Time <= 0 {
		o.Time = defaultTime
	}
	return &Drawer{options: o, slots: make(chan struct{}, mostAtOnce)}
}

// SVG draws a graph in the language of Graphviz. What takes too long is fault.Timeout, what can't be drawn otherwise
// fault.Unavailable or fault.Internal.
func (d *Drawer) SVG(ctx context.Context, dot string) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, d.options.Time, errTooLong)
	defer cancel()
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	case <-ctx.Done():
		return nil, ended(ctx)
	}
	if err := os.MkdirAll(d.options.Cache, 0o700); err != nil {
		return nil, fault.Wrap(err, fault.Wait, fault.Unavailable, "the folder for drawing can't be made; see the server's data folder")
	}
	return d.run(ctx, dot)
}

var errTooLong = errors.New("the picture takes too long")

// ended says whether the caller has gone or the time is up.
func ended(ctx context.Context) error {
	if errors.Is(context.Cause(ctx), errTooLong) {
		return fault.New(fault.Reject, fault.Timeout, "drawing the graph takes too long; ask for a smaller part of it, or for format=dot")
	}
	return fault.From(ctx.Err())
}

func (d *Drawer) run(ctx context.Context, dot string) ([]byte, error) {
	var picture, complaints bounded
	picture.left, complaints.left = mostBytes, 1<<10
	cmd := exec.CommandContext(ctx, d.options.Program, "-Tsvg") //nolint:gosec // the program that the server was told to use
	cmd.Env = []string{"TMPDIR=" + d.options.Cache}
	cmd.Dir = d.options.Cache
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(dot), &picture, &complaints
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return nil, ended(ctx)
	case err != nil && picture.left == 0:
		return nil, fault.New(fault.Reject, fault.Invalid, "the picture gets larger than %d MiB; ask for a smaller part of the graph", mostBytes>>20)
	case err != nil:
		return nil, fault.Wrap(errors.Join(err, errors.New(complaints.kept.String())), fault.GiveUp, fault.Internal, "the graph could not be drawn; the server's log says why")
	}
	return picture.kept.Bytes(), nil
}

// bounded takes so many bytes and refuses the rest. The buffer is no embedded one, whose ReadFrom would know no bound.
type bounded struct {
	kept bytes.Buffer
	left int
}

func (b *bounded) Write(p []byte) (int, error) {
	n := min(len(p), b.left)
	b.left -= n
	b.kept.Write(p[:n])
	if n < len(p) {
		return n, io.ErrShortWrite
	}
	return n, nil
}
