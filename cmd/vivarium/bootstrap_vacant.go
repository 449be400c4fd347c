package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/bootstrap"
	"github.com/vivarium-env/vivarium/pkg/executor/container/docker"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// manyNames bounds what a message names.
const manyNames = 4

// vacant refuses, before environment zero is begun, where somebody else's is: what is in Docker is known by environment and step
// alone, so this run would take it for its own, and a destroy would take it away.
func (x *raising) vacant(ctx context.Context) (err error) {
	if x.f.Location != onThisDocker {
		return nil
	}
	options, _ := dockerOptions(x.variables, nil, slog.New(slog.DiscardHandler))
	e := docker.New(options)
	defer func() { err = errors.Join(err, e.Close()) }()
	names, err := e.Belonging(ctx, bootstrap.Environment)
	if err != nil || len(names) == 0 {
		return err
	}
	more := ""
	if len(names) > manyNames {
		names, more = names[:manyNames], " and more"
	}
	return fault.New(fault.Reject, fault.Exists, "the Docker at %s has an environment %q already, which is not this work folder's (%s%s): go on with the folder that has begun it (--work), "+
		"or destroy that one first; nothing was changed", x.engineAddress(), bootstrap.Environment, strings.Join(names, ", "), more)
}
