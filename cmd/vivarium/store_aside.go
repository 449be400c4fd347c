package main

import (
	"encoding/base64"
	"errors"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/config"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/runner"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/store"
)

func newStoreAside(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "aside ID ENVIRONMENT STEP",
		Short: "Print a state that is kept with set aside entries",
		Long: "Prints, in clear, what the executor of a step had saved (for OpenTofu its state) before the entries were set aside that name\n" +
			"it: `vivarium cluster divergence ID -o json` lists the states. It reads the store and the cluster's key, and needs no server.\n" +
			"A state may hold secrets.",
		Example: "  vivarium store aside 3-18-e1 notes notes.terraform.network > lost.tfstate",
		Args:    cobra.ExactArgs(3),
	}
	x := c.storeCommand(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return x.withStore(cmd.Context(), false, false, func(settings config.Settings, s store.Store) error {
			box, err := clusterKey(settings)
			if err != nil {
				return err
			}
			found, err := s.AsideState(cmd.Context(), args[0], args[1], args[2])
			if errors.Is(err, store.ErrNotFound) {
				return x.noState(cmd, s, args)
			}
			if err != nil {
				return err
			}
			data, err := runner.OpenState(box, event.TaskRef{Environment: args[1], Step: args[2]}, string(found.Data))
			if err == nil {
				_, err = x.out.Write(data)
			}
			return err
		})
	}
	return cmd
}

// noState says what is missing of it.
func (x *storeCommand) noState(cmd *cobra.Command, s store.Store, args []string) error {
	all, err := s.Asides(cmd.Context())
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(all, func(a store.Aside) bool { return a.ID == args[0] }) {
		return usage("nothing is set aside in this store that is called %s", args[0])
	}
	return usage("no state of %s in %s is kept with what is set aside as %s", args[2], args[1], args[0])
}

// clusterKey is the key that a server with these settings seals with. None is made.
func clusterKey(settings config.Settings) (*secret.Box, error) {
	if settings.Key != "" {
		key, err := base64.StdEncoding.DecodeString(settings.Key)
		if err != nil {
			return nil, err
		}
		return secret.NewBox(key)
	}
	for _, name := range []string{keyFile, "key"} {
		if box, err := keptKey(filepath.Join(settings.DataDir, name)); err != nil || box != nil {
			return box, err
		}
	}
	return nil, usage("the cluster's key is neither in %s nor in the settings (VIVARIUM_KEY): without it a state can't be opened", settings.DataDir)
}
