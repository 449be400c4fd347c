package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsimple"
	"github.com/spf13/cobra"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/vivarium-env/vivarium/pkg/bootstrap"
	"github.com/vivarium-env/vivarium/pkg/bootstrap/cluster"
)

// Where a bootstrap raises things.
const (
	onProcesses  = "process"
	onThisDocker = "local"
	profileSmall = "small"
	profileFull  = "full"
)

// bootstrapFlags are what a bootstrap is told, by a file and by flags, which win.
type bootstrapFlags struct {
	Location     string    `hcl:"location,optional"`
	Organisation string    `hcl:"github_organisation,optional"`
	Prefix       string    `hcl:"repository_prefix,optional"`
	GitBase      string    `hcl:"git_base,optional"`
	Profile      string    `hcl:"profile,optional"`
	Work         string    `hcl:"work,optional"`
	Keys         string    `hcl:"keys,optional"`
	Namespace    string    `hcl:"namespace,optional"`
	Image        string    `hcl:"image,optional"`
	Registry     string    `hcl:"image_registry,optional"`
	Program      string    `hcl:"image_program,optional"`
	Given        cty.Value `hcl:"parameters,optional"`

	config                string
	params                []string
	plan, destroy, update bool
	parameters            map[string]json.RawMessage
}

func newBootstrap(c *cli) *cobra.Command {
	var f bootstrapFlags
	cmd := &cobra.Command{
		Use:   "bootstrap --location WHERE --keys FILE",
		Short: "Raise a Vivarium that manages itself: broker, Consul, Vault and the service, as an environment",
		Long: "Raises what Vivarium itself stands on, and the service, as an environment like any other: by an engine of its own in a work folder.\n" +
			"Then it hands that environment over to the service, as its environment zero, and has it create the further environments that the\n" +
			"configuration repositories define. Run again, it goes on where it was; what is there already stays as it is, and where this run would have\n" +
			"another environment zero (another template, other parameters), it says what would change: --update does that.\n\n" +
			"Repositories PREFIXtemplates (folders with a template.hcl) and PREFIXenvironments (files with environment blocks) are those of\n" +
			"--github-organisation, or lie below --git-base. A template \"meta\" in the first takes the place of the one that comes with this program.\n\n" +
			"--keys FILE is where Vault's unseal keys, its root token and the cluster's key are written, for their owner alone, and nowhere else:\n" +
			"keep it, a run that goes on and a destroy need it. --keys - shows them in the end instead; then a run that was killed can't go on.",
		Example: `  vivarium bootstrap --location my-context --image registry.example.test/vivarium:1.0.0 --keys keys.json
  vivarium bootstrap --location process --keys keys.json
  vivarium bootstrap --location process --keys keys.json --git-base file:///srv/git --repository-prefix team-
  vivarium bootstrap --keys keys.json --destroy`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.read(cmd); err != nil {
				return err
			}
			return c.bootstrap(cmd.Context(), f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.Location, "location", "", "process: this machine, with programs of PATH as supervised processes; local: its Docker; else a context of the kubeconfig, or the https:// address of a cluster in it")
	flags.StringVar(&f.Namespace, "namespace", "", "of a cluster, made where there is none (default "+defaultNamespace+")")
	flags.StringVar(&f.Image, "image", "", "of the service, where it is a container and not to be made of this program; those of the others are in --param images={...}")
	flags.StringVar(&f.Registry, "image-registry", "", "HOST[:PORT][/PATH] that a cluster pulls the service's image from: it is pushed there as .../vivarium, as whom `docker login` says")
	flags.StringVar(&f.Program, "image-program", "", "static program for Linux that the service's image is made of (default: this one)")
	flags.StringVar(&f.Organisation, "github-organisation", "", "organisation or user on GitHub that has the repositories ($GITHUB_TOKEN for what is private)")
	flags.StringVar(&f.Prefix, "repository-prefix", "", "what the names of the repositories begin with")
	flags.StringVar(&f.GitBase, "git-base", "", "URL below which the repositories are, in place of GitHub: https://..., or file:///FOLDER")
	flags.StringVar(&f.Profile, "profile", "", "small: everything once, with the embedded store; full, in a cluster: several of each, ArangoDB, telemetry, a way in (default small)")
	flags.StringVar(&f.Work, "work", "", "folder that this run keeps everything in; at the location process also what it raises (default .vivarium-bootstrap)")
	flags.StringVar(&f.Keys, "keys", "", "file for the keys, or - to be shown them once")
	flags.StringVar(&f.config, "config", "", "HCL file that says the same: location = \"process\", and parameters = {...}")
	flags.StringArrayVar(&f.params, "param", nil, "NAME=VALUE of the template meta (may be repeated)")
	flags.BoolVar(&f.plan, "plan", false, "show what would be done, and do nothing")
	flags.BoolVar(&f.update, "update", false, "bring an environment zero that is there to the template and the parameters of this run, which else only says what would change")
	flags.BoolVar(&f.destroy, "destroy", false, "destroy what was raised, and prove it")
	return cmd
}

// read puts file and flags together, and says what is wrong with them.
func (f *bootstrapFlags) read(cmd *cobra.Command) error {
	if err := f.readFile(cmd); err != nil {
		return err
	}
	defaults := map[*string]string{&f.Profile: profileSmall, &f.Work: ".vivarium-bootstrap"}
	if f.Location != "" && !onMachine(f.Location) {
		defaults[&f.Namespace] = defaultNamespace
	}
	for to, fallback := range defaults {
		if *to == "" {
			*to = fallback
		}
	}
	switch {
	case f.Location == "" && f.destroy: // the work folder knows
	case f.Location == "":
		return usage("say where with --location: process is this machine with the programs of its PATH, local its Docker, all else a context of the kubeconfig " +
			"or the address of a cluster in it")
	case f.Namespace != "" && (onMachine(f.Location) || !cluster.GoodNamespace(f.Namespace)):
		return usage("--namespace %q is for a cluster, and has to be small letters, digits and hyphens", f.Namespace)
	case f.Image != "" && f.Registry+f.Program != "":
		return usage("--image names an image that is there, --image-registry and --image-program are about one that is made: give one of them")
	case f.Image+f.Program != "" && f.Location == onProcesses:
		return usage("--image and --image-program are about a container: on this machine its programs are processes")
	case f.Registry != "" && onMachine(f.Location):
		return usage("--image-registry is for a cluster: on this machine nothing is pushed")
	case f.Profile != profileSmall && f.Profile != profileFull:
		return usage("the profile %q is not known: it is %s, or, in a cluster, %s", f.Profile, profileSmall, profileFull)
	case f.Profile == profileFull && f.Location != "" && onMachine(f.Location):
		return usage("the profile full is for a cluster of several machines: take --profile small for this one")
	case f.Organisation != "" && f.GitBase != "":
		return usage("--github-organisation and --git-base both say where repositories are: give one")
	case f.GitBase != "" && !strings.Contains(f.GitBase, "://"):
		return usage("--git-base has to be a URL, such as https://git.example.test/team or file:///srv/git")
	case f.update && (f.plan || f.destroy):
		return usage("--update is neither --plan nor --destroy; without it a run says what would change")
	case f.Keys == "" && !f.plan:
		return usage("say where Vault's keys are to be written with --keys FILE, or --keys - to be shown them once")
	}
	var err error
	if f.Work, err = filepath.Abs(f.Work); err != nil {
		return err
	}
	given, err := parameters(nil, f.params)
	for name, v := range given {
		f.parameters[name] = v
	}
	return err
}

func (f *bootstrapFlags) readFile(cmd *cobra.Command) error {
	f.parameters = map[string]json.RawMessage{}
	if f.config == "" {
		return nil
	}
	text, err := os.ReadFile(f.config)
	if err != nil {
		return usage("can't read the configuration file: %w", err)
	}
	var file bootstrapFlags
	if err := hclsimple.Decode(f.config+".hcl", text, nil, &file); err != nil {
		return usage("%w", err)
	}
	for flag, pair := range map[string][2]*string{
		"location": {&f.Location, &file.Location}, "github-organisation": {&f.Organisation, &file.Organisation}, "repository-prefix": {&f.Prefix, &file.Prefix},
		"git-base": {&f.GitBase, &file.GitBase}, "profile": {&f.Profile, &file.Profile}, "work": {&f.Work, &file.Work}, "keys": {&f.Keys, &file.Keys},
		"namespace": {&f.Namespace, &file.Namespace}, "image": {&f.Image, &file.Image}, "image-registry": {&f.Registry, &file.Registry},
		"image-program": {&f.Program, &file.Program},
	} {
		if !cmd.Flags().Changed(flag) {
			*pair[0] = *pair[1]
		}
	}
	if file.Given == cty.NilVal || file.Given.IsNull() {
		return nil
	}
	text, err = ctyjson.Marshal(file.Given, file.Given.Type())
	if err != nil {
		return usage("parameters in %s: %w", f.config, err)
	}
	if err := json.Unmarshal(text, &f.parameters); err != nil {
		return usage("parameters in %s have to be an object", f.config)
	}
	return nil
}

func (f *bootstrapFlags) site() bootstrap.Site {
	return bootstrap.Site{Location: f.Location, Organisation: f.Organisation, GitBase: f.GitBase, Prefix: f.Prefix, Profile: f.Profile, Namespace: f.Namespace}
}
