package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bootstrap"
	"github.com/vivarium-env/vivarium/pkg/config"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor/container/docker"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/resilience"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// programFolders are where packages have programs that are not in PATH, or of which PATH has a wrapper.
var programFolders = []string{"/usr/lib/rabbitmq/bin"}

// offered is how long an offer of a bootstrap's engine holds: whoever takes it is in the same process. An offer that a kill has lost on its way is waited for as
// long by the run that goes on.
const offered = 5 * time.Second

// found is what environment zero puts out.
type found struct {
	API string `json:"api"`
	// APICA is the authority of the API's certificate, and VaultCA that of Vault's, where they have one.
	APICA   string `json:"api_ca"`
	VaultCA string `json:"vault_ca"`
	Bus     string `json:"bus"`
	// BusCA is the authority of the bus's certificate, where it has one.
	BusCA string `json:"bus_ca"`
}

// engine is the settings of a server that works for a bootstrap alone, on a data folder.
func (x *raising) engine(dir string) (config.Settings, error) {
	settings, err := config.Load(config.Inputs{})
	if err != nil {
		return settings, err
	}
	settings.Primary, settings.Runner.Enabled, settings.Runner.Name = true, true, "bootstrap"
	settings.PrimaryClusterName = x.cluster()
	settings.DataDir, settings.Listen, settings.Catalogue = dir, "127.0.0.1:0", x.meta
	settings.DriftInterval = 0
	settings.Log.Level = "error" // the progress is what people came to see
	settings.Container.Target, settings.Process.Folder, settings.Process.Programs = onProcess, x.site(), x.programs()
	if x.f.Location == onThisDocker {
		settings.Container.Target = onDocker
	}
	if x.kube != nil {
		settings.Container.Target = onKubernetes
		settings.Kubernetes.Context, settings.Kubernetes.Namespace, settings.Kubernetes.Ports = x.kube.Place().Context, x.kube.Namespace(), insideCluster
		settings.Kubernetes.Pending = x.pending
		settings.Kubernetes.StorageClass = x.text("storage_class", settings.Kubernetes.StorageClass)
		settings.Kubernetes.VolumeSize = x.text("volume_size", settings.Kubernetes.VolumeSize)
	}
	settings.Terraform.Binary = x.variables["VIVARIUM_TERRAFORM"]
	if x.keys != nil {
		settings.Key = x.keys.Held().ClusterKey
	}
	return settings, nil
}

// cluster is called as the datacentre, as the service will be.
func (x *raising) cluster() string {
	if x.folder != nil && x.folder.Progress().Cluster != "" {
		return x.folder.Progress().Cluster // as it was when this began
	}
	return x.text("datacenter", "vivarium")
}

// text is a parameter of the template meta that the engine has to know too.
func (x *raising) text(name, fallback string) string {
	var text string
	if json.Unmarshal(x.f.parameters[name], &text) != nil || text == "" {
		return fallback
	}
	return text
}

// site is where the processes are, which stay when this run ends.
func (x *raising) site() string { return filepath.Join(x.f.Work, "site") }

// programs are folders that come before PATH: those that were named, and those of packages.
func (x *raising) programs() []string {
	named := slices.DeleteFunc(strings.Split(x.variables["VIVARIUM_PROCESS_PROGRAMS"], ","), func(dir string) bool { return dir == "" })
	return append(named, programFolders...)
}

// engineAddress is that of Docker's engine.
func (c *cli) engineAddress() string {
	if host := c.variables["DOCKER_HOST"]; host != "" {
		return host
	}
	return docker.DefaultHost
}

// possible says what is missing before anything is begun.
func (x *raising) possible(ctx context.Context) error {
	socket, local := strings.CutPrefix(x.engineAddress(), "unix://")
	switch {
	case !onMachine(x.f.Location):
		return x.connect(ctx)
	case x.f.Location != onThisDocker:
		return nil
	case !local:
		return usage("the location local is the Docker of this machine, and DOCKER_HOST is that of another: %s", x.engineAddress())
	}
	if _, err := os.Stat(socket); err != nil {
		return usage("there is no Docker on this machine: %w; start it, or say where its socket is with DOCKER_HOST", err)
	}
	return nil
}

// serviceFolder makes the one that the service's container gets for its data: Docker wants it to be there.
func (x *raising) serviceFolder() error {
	if x.keys == nil {
		return nil // a plan does nothing
	}
	return os.MkdirAll(filepath.Dir(x.storeFile()), 0o700)
}

// with runs an engine for as long as the work takes.
func (x *raising) with(ctx context.Context, dir string, work func(context.Context, *instance) error) error {
	settings, err := x.engine(dir)
	if err != nil {
		return err
	}
	s, err := x.newInstance(settings)
	if err != nil {
		return err
	}
	s.making, s.accepts, s.vars = x.making(), offered, x.placed(s.vars)
	if err := s.start(ctx); err != nil {
		return err
	}
	working, cancel := context.WithCancel(ctx)
	watched := make(chan error, 1)
	go func() { watched <- guard(working, s, cancel) }()
	err = work(working, s)
	cancel()
	if broken := <-watched; broken != nil && err != nil {
		_ = s.stop(working) // nothing of it can finish, so it is not waited for
		return broken
	}
	return errors.Join(err, s.stop(x.hard))
}

// placed are variables with the cluster's, where it is one that environment zero is in.
func (x *raising) placed(variables map[string]string) map[string]string {
	if x.kube == nil {
		return variables
	}
	all := maps.Clone(variables)
	all["KUBECONFIG"] = strings.Join(x.kube.Place().Files, string(filepath.ListSeparator))
	return all
}

// guard ends the work where the engine's bus is broken, since nothing would come of it any more.
func guard(ctx context.Context, s *instance, end context.CancelFunc) error {
	for resilience.Pause(ctx, time.Second) == nil {
		if err := s.embedded.Broken(); err != nil {
			end()
			return err
		}
	}
	return nil
}

// environmentZero raises it, goes on with what was begun, or finds it there, and returns what it puts out.
func (x *raising) environmentZero(ctx context.Context) (out found, err error) {
	x.title("Environment zero")
	err = x.with(ctx, x.folder.Path("data"), func(ctx context.Context, s *instance) error {
		err := x.deploy(ctx, s)
		if err != nil {
			err = x.anew(ctx, s, err)
		}
		if err != nil {
			return err
		}
		record, err := s.store.Environment(ctx, bootstrap.Environment)
		if err != nil {
			return err
		}
		out, err = x.outputs(record)
		return err
	})
	if err != nil {
		return out, err
	}
	if out.API == "" || out.Bus == "" {
		return out, fault.New(fault.Reject, fault.InvalidTemplate, "the template %q has to put out api and bus, or nobody finds the service", bootstrap.Environment)
	}
	return out, x.noteAPI(out)
}

func (x *raising) outputs(zero environment.Record) (out found, err error) {
	open, _, err := x.keys.box.Open(zero.Outputs)
	if err != nil {
		return out, err
	}
	err = json.Unmarshal(open, &out)
	x.busRoots = out.BusCA
	return out, err
}

// on is a connection to a bus: the engine's, or the service's with what environment zero says of its certificate.
func (x *raising) on(bus string) *connection {
	c := x.cli.on(bus)
	c.roots, c.way = x.busRoots, x.way()
	return c
}

// deploy sends what leads on from how the environment stands.
func (x *raising) deploy(ctx context.Context, s *instance) error {
	record, err := s.client().Environment(ctx, bootstrap.Environment)
	status := record.Status
	switch {
	case fault.Is(err, fault.NotFound) || status == environment.Destroyed || status == environment.Planned:
		if err := x.vacant(ctx); err != nil {
			return err
		}
		data, err := x.create(ctx, s)
		if err != nil {
			return err
		}
		return x.order(ctx, s, event.EnvironmentCreate, data, environment.Deployed)
	case err != nil:
		return err
	case status == environment.Deployed:
		x.say("%s is there.", bootstrap.Environment)
		return nil
	case !status.Settled():
		x.resumed = true
		record, err := x.watch(ctx, s.client(), bootstrap.Environment, "", x.out)
		if err != nil || record.Status == environment.Deployed || x.retried {
			return errors.Join(err, x.ended(order{want: environment.Deployed}, record))
		}
		x.retried = true
		return x.deploy(ctx, s)
	case status == environment.DestroyFailed:
		return fault.New(fault.Reject, fault.Conflict, "environment zero is half destroyed: go on with --destroy first")
	}
	x.resumed = true
	return x.order(ctx, s, event.EnvironmentRetry, event.Retry{}, environment.Deployed)
}

// create is what environment zero is made of.
func (x *raising) create(ctx context.Context, s *instance) (event.Create, error) {
	t, err := s.catalogue.Get(ctx, bootstrap.Environment)
	if err != nil {
		return event.Create{}, err
	}
	given, err := x.wanted(t)
	if err != nil {
		return event.Create{}, err
	}
	if x.f.Location == onThisDocker {
		if err := x.serviceFolder(); err != nil {
			return event.Create{}, err
		}
	}
	return event.Create{
		Templates: []string{bootstrap.Environment}, Parameters: given,
		Description: "Vivarium itself and what it stands on: environment zero", Tags: []string{"environment-zero"},
	}, nil
}

// wanted are the parameters of this run: those that were given, and ours where the template has them. One of somebody else's need not.
func (x *raising) wanted(t *template.Template) (map[string]json.RawMessage, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ours := map[string]any{
		"location": x.f.Location, "program": self, "key": x.keyText(), "folder": x.site(), "programs": x.programs(), "catalogue": x.further,
	}
	if x.f.Location == onThisDocker {
		ours["program"], ours["engine"] = "/usr/bin/vivarium", strings.TrimPrefix(x.engineAddress(), "unix://")
	}
	x.imaged(ours)
	if err := x.clustered(ours); err != nil {
		return nil, err
	}
	given := maps.Clone(x.f.parameters)
	for _, p := range t.Parameters() {
		v, known := ours[p.Name]
		if _, said := given[p.Name]; said || !known {
			continue
		}
		if given[p.Name], err = json.Marshal(v); err != nil {
			return nil, err
		}
	}
	return given, nil
}

func (x *raising) keyText() string {
	if x.keys == nil {
		return "" // of a plan, which shows no secret
	}
	return x.keys.Held().ClusterKey
}

// order publishes a command about environment zero, and shows what comes of it.
func (x *raising) order(ctx context.Context, s *instance, command string, data any, want environment.Status) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	o := order{command: command, environment: bootstrap.Environment, data: text, want: want}
	answer, err := x.on(s.busURL).send(ctx, o)
	if err != nil {
		return err
	}
	record, err := x.waitFor(ctx, s.client(), o, answer.Operation, x.out)
	if err != nil {
		return err
	}
	if record.Status == want {
		return nil
	}
	if err := x.explain(ctx, s, record); err != nil {
		return err
	}
	return fmt.Errorf("%s is %s; see to what is said above, and %s", record.Name, record.Status, goesOn)
}

// explain says of each step that failed why, since the engine that knows it ends now.
func (x *raising) explain(ctx context.Context, s *instance, record environment.Record) error {
	resources, err := s.client().Resources(ctx, record.Name)
	if err != nil {
		return err
	}
	for _, r := range resources {
		if r.Step.Error != nil {
			x.say("\n%s: %s", r.Address, clean(r.Step.Error.Message))
		}
	}
	return nil
}
