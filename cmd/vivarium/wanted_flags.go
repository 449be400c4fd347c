package main

import (
	"encoding/json"
	"time"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/spf13/cobra"
)

// contentFlags are what the command line says an environment is to be made of.
type contentFlags struct {
	templates, params, files, unset []string
}

func (f *contentFlags) add(cmd *cobra.Command, templates string) {
	flags := cmd.Flags()
	flags.StringArrayVar(&f.templates, "template", nil, templates)
	flags.StringArrayVar(&f.params, "param", nil, "parameter as name=value; JSON where it is JSON, else text (may be repeated)")
	flags.StringArrayVar(&f.files, "param-file", nil, "file of parameters in HCL, or JSON when it ends in .json (may be repeated)")
}

// addChange adds the flags of an environment that may be there already.
func (f *contentFlags) addChange(cmd *cobra.Command) {
	f.add(cmd, "all templates it is to be made of, name or name@version (may be repeated; default: as they are)")
	cmd.Flags().StringArrayVar(&f.unset, "unset", nil, "parameter that goes back to its default (may be repeated)")
}

// parameters are those that are given, and null for those that are to go back to their defaults.
func (f *contentFlags) parameters() (map[string]json.RawMessage, error) {
	params, err := parameters(f.files, f.params)
	if err != nil {
		return nil, err
	}
	for _, name := range f.unset {
		if _, set := params[name]; set || !hclsyntax.ValidIdentifier(name) {
			return nil, usage("--unset %q: want the name of a parameter that is not given besides", name)
		}
		params[name] = json.RawMessage("null")
	}
	return params, nil
}

// wantedFlags are what the command line says an environment is to be, when it is made and when it is changed.
type wantedFlags struct {
	contentFlags
	tags                   []string
	description, destroyAt string
	lifetime               string
	failFast               bool
	parallelism            int
	follow                 followFlags
}

func (f *wantedFlags) addRest(cmd *cobra.Command, tags string) {
	flags := cmd.Flags()
	flags.StringVar(&f.description, "description", "", "what it is for")
	flags.StringArrayVar(&f.tags, "tag", nil, tags)
	flags.StringVar(&f.destroyAt, "destroy-at", "", "when it is destroyed by itself: 2027-01-31T18:00:00Z, or a duration from now such as 8h")
	flags.StringVar(&f.lifetime, "lifetime", "", "the same, as a duration; 0s is for ever, whatever its templates say")
	flags.BoolVar(&f.failFast, "fail-fast", false, "stop what runs at the first failure, instead of letting it finish")
	flags.IntVar(&f.parallelism, "parallelism", 0, "how many steps run at once (default: the server's limit)")
	f.follow.add(cmd)
}

// read checks what is the same for both commands; at is nil when the environment is not destroyed by itself.
func (f *wantedFlags) read(now time.Time) (params map[string]json.RawMessage, at *time.Time, err error) {
	if f.parallelism < 0 {
		return nil, nil, usage("--parallelism can't be negative")
	}
	if params, err = f.parameters(); err != nil || f.destroyAt == "" {
		return params, nil, err
	}
	moment, err := pointInTime(f.destroyAt, now)
	return params, &moment, err
}
