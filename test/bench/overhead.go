package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/vivarium-env/vivarium/pkg/bus"
)

func overheadEmbedded(ctx context.Context, r *report) error {
	return inFolder(func(dir string) error {
		return withEmbedded(ctx, dir, func(b bus.Bus) error { return overhead(ctx, r, dir, b, "embedded", "1.5") })
	})
}

func overheadRabbitMQ(ctx context.Context, r *report) error {
	return withRabbitMQ(ctx, func(b bus.Bus) error {
		return inFolder(func(dir string) error { return overhead(ctx, r, dir, b, "RabbitMQ", "5.0") })
	})
}

// overhead runs environments of resources that do nothing: all that is left is ours.
func overhead(ctx context.Context, r *report, dir string, b bus.Bus, name, goal string) (err error) {
	c, err := newCluster(ctx, dir, b)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close(context.WithoutCancel(ctx))) }()
	fan, err := c.median(ctx, "fan", 5)
	if err != nil {
		return err
	}
	r.row(fmt.Sprintf("%s: fan-out of %d, 100 in flight", name, fanOut), fmt.Sprintf("%.0f resources/s", fanOut/fan.Seconds()), ">= 2000 /s")
	links, err := c.median(ctx, "chain", 5)
	if err != nil {
		return err
	}
	r.row(fmt.Sprintf("%s: chain of %d", name, chain), fmt.Sprintf("%.2f ms a step", ms(links)/chain), "< "+goal+" ms")
	return nil
}
