package stack

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

func (w *Walk) raise(ctx context.Context, dir string) (err error) {
	begun := time.Now()
	w.stack, err = Start(ctx, dir, func(name, version, address string) {
		w.up(begun, name, version, address)
	})
	if err != nil {
		return err
	}
	return w.image(ctx)
}

// image makes the sample's image of one static program, since there is no registry to pull one from.
func (w *Walk) image(ctx context.Context) error {
	begun := time.Now()
	if err := w.stack.Docker.Image(ctx, "notes:1.0.0", "github.com/vivarium-env/vivarium/templates/"+template+"/app"); err != nil {
		return err
	}
	w.up(begun, "image", "1.0.0", "notes, with nothing in it but one static program")
	return nil
}

func (w *Walk) up(begun time.Time, name, version, where string) {
	w.line("%-9s %-9s %-56s %4.1fs", name, version, where, time.Since(begun).Seconds())
}

func (w *Walk) begin(ctx context.Context) (err error) {
	if w.vivarium, err = StartVivarium(ctx, w.stack, w.Program, filepath.Join(w.Checkout, "templates")); err != nil {
		return err
	}
	w.line("server    %s, has the data and no credentials", w.vivarium.API)
	w.line("runner    has the credentials of Consul, Vault and Docker, and no data")
	w.publisher, err = NewPublisher(w.stack.RabbitMQ.URL())
	return err
}

func (w *Walk) create(ctx context.Context) error {
	bridge, err := w.stack.bridge(ctx)
	if err != nil {
		return err
	}
	_, port, _ := strings.Cut(w.stack.Consul.Address(), ":")
	_, err = w.order(ctx, "environment.create", map[string]any{
		"templates": []string{template}, "tags": []string{"demo"}, "description": "What make demo-full deploys",
		"parameters": map[string]any{"consul": bridge.String() + ":" + port, "gateway": "http://" + w.stack.Traefik.Address(), "title": "Our notes"},
	})
	return err
}

func (w *Walk) destroy(ctx context.Context) error {
	_, err := w.order(ctx, "environment.destroy", map[string]any{})
	return err
}

// order publishes a command and shows what comes of it, as `vivarium env watch` does. It returns the operation.
func (w *Walk) order(ctx context.Context, command string, data any) (operation string, err error) {
	answered, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if operation, err = w.publisher.Send(answered, command, name, data); err != nil {
		return "", err
	}
	w.line("accepted as %s\n", operation)
	watch := w.vivarium.Command(ctx, "env", "watch", name)
	watch.Stdout, watch.Stderr = w.Out, w.Out
	if err := watch.Run(); err != nil {
		return "", fmt.Errorf("%s has failed (%w)", command, err)
	}
	_, _ = fmt.Fprintln(w.Out)
	return operation, nil
}
