package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vivarium-env/vivarium/pkg/api"
	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/bus/nats"
	"github.com/vivarium-env/vivarium/pkg/cluster/authority"
	"github.com/vivarium-env/vivarium/pkg/cluster/membership"
	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
	"github.com/vivarium-env/vivarium/pkg/cluster/signal"
	"github.com/vivarium-env/vivarium/pkg/config"
	"github.com/vivarium-env/vivarium/pkg/executor/initialise"
	"github.com/vivarium-env/vivarium/pkg/orchestrator"
	"github.com/vivarium-env/vivarium/pkg/runner"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/service"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/telemetry"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// closeTimeout is how long bus, store and API get to close once nothing works with them any more.
const closeTimeout = 5 * time.Second

// instance is one server in this process, put together of its parts. Bus, store and API are its base; orchestrator and
// runner work on it and are stopped first.
type instance struct {
	settings config.Settings
	dir      string // data folder, absolute
	id       string
	log      *slog.Logger
	begun    time.Time
	vars     map[string]string
	program  string
	kit      *kit
	drill    bool               // nothing is done but looking
	making   initialise.Options // of a bootstrap
	accepts  time.Duration      // how long an offer of this server holds; 0 takes what the decider takes

	// What a takeover needs.
	turning    chan struct{} // has a value when the process is to begin anew in another role
	roles      sync.Mutex    // held while one is being changed
	roleFile   sync.Mutex    // held while the file of the role is written; taken after roles, never before
	lease      *authority.Lease
	membership *membership.Membership // of a primary; nil where no token is set
	promise    *authority.Promise
	votes      votes
	tally      tally
	offerFrom  time.Time
	other      string // an address of the other side, by a takeover
	handing    bool   // this side has stepped down
	roleEpoch  uint64 // of the last takeover
	aside      bool   // another server of this side has changed its role; guarded by roles
	companions companions
	signals    *signal.Signals
	overtaken  atomic.Bool // another side acts under a higher epoch
	rival      rival       // acts under the same one
	behind     behind      // go on under a lower one
	watched    chan struct{}
	endWatch   context.CancelFunc

	lock         *lock
	key          []byte
	box          *secret.Box
	epoch        uint64
	consul       *consulLink           // nil where none is configured
	source       *replication.Source   // nil where no token is set
	follower     *replication.Follower // of a secondary; nil where no token is set
	refuser      *orchestrator.Refuser // of a secondary
	store        store.Store
	embedded     *nats.Embedded
	bus          bus.Bus // nil in a secondary
	busURL       string
	busAccess    busAccess
	announced    announced
	catalogue    *template.Catalogue
	api          *api.Server
	apiRoots     string // for the API's certificate, in PEM
	orchestrator *orchestrator.Orchestrator
	runner       *runner.Runner
	serving      service.Service // the runner, and what has to run beside it

	base, work *service.Group
	up         atomic.Bool // everything has started
	draining   atomic.Bool
}

func (c *cli) newInstance(settings config.Settings) (*instance, error) {
	log, err := telemetry.NewLogger(c.err, settings.Log.Level, settings.Log.Format)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(settings.DataDir)
	if err != nil {
		return nil, err
	}
	s := &instance{settings: settings, dir: dir, id: newID("server"), log: log, begun: time.Now(), vars: c.variables, program: c.program,
		turning: make(chan struct{}, 1),
		lease:   authority.NewLease(settings.Cluster.Lease),
		promise: authority.NewPromise(settings.Cluster.Lease, settings.Cluster.Margin)}
	s.base = service.NewGroup(
		s.member("data folder", s.openFolder, s.closeFolder),
		s.member("Consul", s.openConsul, s.closeConsul),
		s.member("store", s.openStore, s.closeStore),
		s.member("catalogue", s.openCatalogue, nil),
		s.member("epoch", s.checkEpoch, nil),
		s.member("bus", s.openBus, s.closeBus),
		s.member("replication source", s.openSource, s.closeSource),
		s.member("API", s.startAPI, s.stopAPI),
	)
	s.work = service.NewGroup(
		s.member("signals", s.startSignals, s.stopSignals),
		s.member("orchestrator", s.startOrchestrator, s.stopOrchestrator),
		s.member("watch of the epoch", s.startWatch, s.stopWatch),
		s.member("follower", s.startFollower, s.stopFollower),
		s.member("runner", s.startRunner, s.stopRunner),
		s.member("registration", s.register, s.deregister),
		s.member("address file", s.announce, s.withdraw),
	)
	return s, nil
}

// part is a pair of functions as a service.Service.
type part struct {
	begin, end func(context.Context) error
}

func (p part) Start(ctx context.Context) error { return p.begin(ctx) }

func (p part) Stop(ctx context.Context) error {
	if p.end == nil {
		return nil
	}
	return p.end(ctx)
}

func (s *instance) member(name string, begin, end func(context.Context) error) service.Member {
	return service.Member{Name: name, Service: part{begin, end}}
}

// start returns once the server is ready. After an error nothing is left running.
func (s *instance) start(ctx context.Context) error {
	if err := s.base.Start(ctx); err != nil {
		return err
	}
	if err := s.work.Start(ctx); err != nil {
		return errors.Join(err, s.closeBase())
	}
	s.up.Store(true)
	s.log.Info("the server is ready", "role", s.role(), "cluster", s.settings.PrimaryClusterName, "epoch", s.epoch,
		"api", s.apiURL(), "version", version)
	return nil
}

// stop takes nothing new from now on, lets work finish for the stop timeout or until hard ends, then cancels the rest.
func (s *instance) stop(hard context.Context) error {
	s.draining.Store(true)
	s.log.Info("the server is stopping", "timeout", s.settings.StopTimeout)
	drain, cancel := context.WithTimeout(hard, s.settings.StopTimeout)
	defer cancel()
	err := errors.Join(s.work.Stop(drain), s.closeBase())
	if err != nil {
		return fmt.Errorf("not everything could finish: %w", err)
	}
	s.log.Info("the server has stopped")
	return nil
}

func (s *instance) closeBase() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	return s.base.Stop(ctx)
}

// ready tells whether commands are taken, or, in a secondary, reads answered.
func (s *instance) ready() bool {
	if !s.up.Load() || s.draining.Load() {
		return false
	}
	return s.orchestrator == nil || s.orchestrator.Status().Ready
}

func (s *instance) path(elements ...string) string {
	return filepath.Join(append([]string{s.dir}, elements...)...)
}

func (s *instance) openFolder(ctx context.Context) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	var err error
	if s.lock, err = takeLock(ctx, s.dir); err != nil {
		return err
	}
	if err := errors.Join(s.openRole(), s.openVote(), s.openTally(), s.openKey()); err != nil {
		return errors.Join(err, s.lock.release())
	}
	s.kit = newKit(ctx, s.settings, runnerName(s.settings, "server"), s.path("runner"), s.vars, s.making, s.log)
	if err := s.kit.plug(ctx, s.vars); err != nil {
		return errors.Join(err, s.lock.release())
	}
	if s.drill {
		s.kit.onlyLook()
	}
	return nil
}

func (s *instance) closeFolder(context.Context) error { return s.lock.release() }
