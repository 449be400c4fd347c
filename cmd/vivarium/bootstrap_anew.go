package main

import (
	"context"
	"errors"

	"github.com/vivarium-env/vivarium/pkg/bootstrap"
	"github.com/vivarium-env/vivarium/pkg/executor/initialise"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// anew is for a run that was killed between Vault's initialisation and the writing of its keys: nobody has them, nothing is in it, and
// nothing was handed over. So environment zero is destroyed and made again. Where it has failed for another reason, it stays.
func (x *raising) anew(ctx context.Context, s *instance, cause error) error {
	if lost, err := x.keysLost(ctx, s); err != nil || !lost {
		return errors.Join(cause, err)
	}
	x.say("\nAn earlier run was killed when Vault had just made its keys, which are lost with it; nobody can have put anything into it. %s is made anew.", bootstrap.Environment)
	if err := x.takeDown(ctx, s); err != nil {
		return err
	}
	if err := x.keys.Forget(); err != nil {
		return err
	}
	return x.deploy(ctx, s)
}

// keysLost tells whether the Vault whose answer did not get here is why environment zero has failed.
func (x *raising) keysLost(ctx context.Context, s *instance) (bool, error) {
	resources, err := s.client().Resources(ctx, bootstrap.Environment)
	if err != nil {
		return false, err
	}
	for _, r := range resources {
		if r.Executor == initialise.VaultName && r.Step.Error != nil && fault.Is(r.Step.Error, fault.SecretUnavailable) {
			return true, nil
		}
	}
	return false, nil
}
