package main

import (
	"context"
	"errors"
	"slices"

	"github.com/vivarium-env/vivarium/pkg/bootstrap"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/executor/initialise"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// initialisers are the kinds that put the first thing into a server.
var initialisers = []string{initialise.ConsulName, initialise.RabbitName, initialise.VaultName}

// anew is for what an earlier run has left that nothing can go on with. Before the handover nobody can have put anything into environment zero
// but the bootstrap, which can do it again; so it is destroyed and made once more. Where it has failed for another reason, it stays.
func (x *raising) anew(ctx context.Context, s *instance, cause error) error {
	if ctx.Err() != nil || x.folder.Progress().Handing {
		return cause
	}
	resources, err := s.client().Resources(ctx, bootstrap.Environment)
	why := spoiled(resources, x.keys.Lost(), x.resumed)
	if err != nil || why == "" {
		return errors.Join(cause, err)
	}
	x.say("\n%s; nobody can have put anything into it. %s is made anew.", why, bootstrap.Environment)
	if err := x.takeDown(ctx, s); err != nil {
		return err
	}
	if err := x.keys.Forget(); err != nil {
		return err
	}
	return x.deploy(ctx, s)
}

// spoiled says what can't be gone on with, "" where that is nothing: a Vault whose keys are lost, or a server whose very first start was cut off,
// which some don't get over. That it was cut off is known by this run having taken it up from an earlier one, and by nothing ever having
// been put into it.
func spoiled(resources []environment.ResourceRecord, lost, resumed bool) string {
	for _, r := range resources {
		switch {
		case r.Step.Error == nil || r.Outputs != nil:
		case lost && r.Executor == initialise.VaultName && (resumed || fault.Is(r.Step.Error, fault.SecretUnavailable)):
			return "An earlier run was killed when Vault had just made its keys, which are lost with it"
		case !resumed:
		case r.Executor == container.Name && fault.Is(r.Step.Error, container.Unhealthy) && blank(resources, r.Address):
			return "What " + r.Address + " has stored is of no use: its very first start was cut off"
		case r.Executor == initialise.RabbitName && fault.Is(r.Step.Error, fault.Exists):
			return "The broker lacks its administrator: its very first start was cut off"
		}
	}
	return ""
}

// blank tells whether a container is a server that something is put into first, and nothing was.
func blank(resources []environment.ResourceRecord, address string) bool {
	waits := putsInto(address, initialisers...)
	done := func(r environment.ResourceRecord) bool { return waits(r) && r.Outputs != nil }
	return slices.ContainsFunc(resources, waits) && !slices.ContainsFunc(resources, done)
}

// putsInto tells which resources, of these kinds, put the first thing into the server of an address.
func putsInto(address string, kinds ...string) func(environment.ResourceRecord) bool {
	return func(r environment.ResourceRecord) bool {
		return slices.Contains(kinds, r.Executor) && slices.Contains(r.DependsOn, address)
	}
}
