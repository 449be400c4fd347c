package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Walk deploys the sample on servers of its own, looks at it, destroys it and proves that nothing is left.
type Walk struct {
	// Program is the path of the built program.
	Program string
	// Checkout is the path of the repository, whose templates are deployed.
	Checkout string
	// Out is where a person reads how it goes; a terminal gets the live tree.
	Out io.Writer
	// Colour marks the titles.
	Colour bool
	// Temp is where its folder is made, and removed again; the system's folder for such unless given. Its name has to be short,
	// since sockets are below it.
	Temp string

	stack     *Stack
	vivarium  *Vivarium
	publisher *Publisher
	password  string // once it was read from Vault
	begun     time.Time
}

// name of the environment, the template, and the host that it answers on.
const (
	name     = "notes"
	template = "notes-live"
	host     = name + ".example.test"
)

// part is one title with what is done below it.
type part struct {
	title string
	do    func(context.Context) error
}

// Run goes all the way, or up to the first thing that is not as it should be. Whatever happens, nothing of it runs on, and
// its folder is gone; where that is all there is to say, the error is ctx's when that has ended.
func (w *Walk) Run(ctx context.Context) error {
	w.begun = time.Now()
	dir, err := os.MkdirTemp(w.Temp, "vivarium-demo-")
	if err != nil {
		return err
	}
	err = w.run(ctx, dir)
	if stopped := errors.Join(w.end(context.WithoutCancel(ctx), err), os.RemoveAll(dir)); stopped != nil {
		return errors.Join(err, stopped)
	}
	return err
}

func (w *Walk) run(ctx context.Context, dir string) error {
	for _, p := range []part{
		{"Servers, all of them real, private and only for this", func(ctx context.Context) error { return w.raise(ctx, dir) }},
		{"Vivarium", w.begin},
		{"An AMQP client publishes environment.create", w.create},
		{"The environment through Traefik", w.use},
		{"The password", w.search},
		{"The AMQP client publishes environment.update, twice", w.again},
		{"The AMQP client publishes environment.destroy", w.destroy},
		{"What is left", w.prove},
	} {
		w.title(p.title)
		if err := p.do(ctx); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("%s: %w", p.title, err)
		}
	}
	return nil
}

// end stops everything, in the reverse order. cause is why, nil when all went well.
func (w *Walk) end(ctx context.Context, cause error) (err error) {
	w.title("Stopping everything")
	if cause != nil && !errors.Is(cause, context.Canceled) && w.vivarium != nil {
		w.line("%s", w.vivarium.LastWords())
	}
	if w.publisher != nil {
		err = w.publisher.Close()
	}
	if w.vivarium != nil {
		err = errors.Join(err, w.vivarium.Stop(ctx))
	}
	if w.stack != nil {
		err = errors.Join(err, w.stack.Stop(ctx))
	}
	if err == nil && cause == nil {
		w.line("done, %s after the start", time.Since(w.begun).Round(time.Second))
	}
	return err
}

func (w *Walk) title(text string) {
	if w.Colour {
		text = "\x1b[1m" + text + "\x1b[0m"
	}
	_, _ = fmt.Fprintf(w.Out, "\n%s\n", text)
}

func (w *Walk) line(format string, args ...any) { _, _ = fmt.Fprintf(w.Out, "  "+format+"\n", args...) }

// until asks again and again, since what is asked for takes a moment to come or to go.
func until(ctx context.Context, limit time.Duration, met func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := met()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}
