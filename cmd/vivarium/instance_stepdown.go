package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/vivarium-env/vivarium/pkg/cluster/authority"
	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

const (
	// mostDrain bounds how long running steps may go on before this side steps down: whoever asked waits for it.
	mostDrain = 30 * time.Second
	// handOver is how long a primary that has stepped down waits for the other side to act, before it goes on itself where that does not.
	handOver = 30 * time.Second
)

// stepDown is what a secondary asks that takes over as planned: work is drained, nothing more is taken, and how far the journal
// is then is the answer. The process becomes a secondary once the other side acts, or begins anew as the primary when it does not.
func (s *instance) stepDown(ctx context.Context, data []byte) (any, error) {
	var p promotion
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fault.Wrap(err, fault.Reject, fault.Invalid, "the order can't be read")
	}
	s.roles.Lock()
	defer s.roles.Unlock()
	if !s.settings.Primary || !s.up.Load() || s.aside {
		return nil, fault.New(fault.Reject, fault.NotPrimary, "this side is no primary")
	}
	if err := authority.CheckToken([]byte(s.settings.Replication.Token), p.Token, s.epoch, time.Now()); err != nil {
		return nil, err
	}
	s.log.Warn("this side steps down, as it was asked to: work is drained")
	s.aside = true
	s.signals.Say(ctx, func(e *event.Signal) { e.StepsDown, e.Address = true, p.Address })
	inFlight := s.drain(ctx)
	go s.afterwards(p.Address)
	id, err := s.source.Identity(ctx)
	return steppedDown{id, inFlight}, err
}

// drain ends all work, and returns how many steps were still in flight when their time was over.
func (s *instance) drain(ctx context.Context) (inFlight int) {
	draining, cancel := context.WithTimeout(ctx, min(s.settings.StopTimeout, mostDrain))
	defer cancel()
	inFlight, err := s.orchestrator.StepDown(draining)
	if err != nil {
		s.log.Warn("not everything that was taken could be decided on", "error", err)
		inFlight = max(inFlight, 1)
	}
	stopping, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	if err := s.work.Stop(stopping); err != nil {
		s.log.Warn("not everything could finish; it is in doubt for the other side", "error", err)
	}
	s.log.Info("this side has stepped down", "in_flight", inFlight)
	return inFlight
}

// afterwards has this process begin anew after a step down: as a secondary once the other side acts, as the primary where it says for
// long enough that it does not. While nobody says anything, nobody acts: the other side may.
func (s *instance) afterwards(address string) {
	s.other = cmp.Or(address, s.other)
	until, silent := time.Now().Add(handOver), false
	for !s.draining.Load() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		epoch, who, asked := s.highest(ctx)
		cancel()
		late := time.Now().After(until)
		switch {
		case epoch > s.epoch:
			err := s.become(role{Epoch: epoch, Since: time.Now().UTC(), Why: "this side stepped down, and another one acts: " + who, Other: s.other, HandOver: true})
			if err != nil {
				s.log.Error("the role can't be written", "error", err)
			}
			return
		case late && (asked || len(s.others()) == 0):
			s.log.Error("this side has stepped down, and the other one does not act: this one goes on")
			s.turn()
			return
		case late && !silent:
			silent = true
			s.log.Error("this side has stepped down, and nobody can be asked whether the other one acts: nothing is done until somebody answers", "addresses", s.others())
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// turn has the process begin anew.
func (s *instance) turn() {
	select {
	case s.turning <- struct{}{}:
	default:
	}
}

// highest finds out under which epoch another side acts, as far as it can be asked: where all sides look, and at its
// addresses. asked: somebody has answered.
func (s *instance) highest(ctx context.Context) (epoch uint64, who string, asked bool) {
	if c, found := s.claimed(ctx); found {
		asked = true
		if c.Side != s.consul.datacentre() || c.Epoch > s.epoch { // what this side has claimed itself is nobody else's
			epoch, who = c.Epoch, fmt.Sprintf("%s, by Consul", c.Side)
		}
	}
	client, err := s.replicationClient()
	if err != nil || s.settings.Replication.Token == "" {
		return epoch, who, asked
	}
	defer client.CloseIdleConnections()
	rival, answered, old := "", []string{}, map[string]uint64{}
	for _, address := range append(s.others(), s.elsewhere(ctx)...) {
		id, err := replication.NewRemote(address, s.settings.Replication.Token, client).Identity(ctx)
		if err != nil || id.Server == s.id {
			continue
		}
		asked, answered = true, append(answered, address)
		if id.Role != replication.Primary {
			continue
		}
		if id.Epoch >= epoch {
			epoch, who = id.Epoch, "the server at "+address
		}
		if s.outranks(id) {
			rival = address
		}
		if s.isBehind(id) {
			old[address] = id.Epoch
		}
	}
	s.rival.saw(rival, answered)
	for _, address := range s.behind.saw(old) {
		s.log.Error("another server goes on as a primary under an epoch that is over: it does not find this side", "address", address, "its_epoch", old[address], "epoch", s.epoch)
	}
	return epoch, who, asked
}

// elsewhere are the servers in other datacentres that call themselves primaries, by Consul.
func (s *instance) elsewhere(ctx context.Context) (addresses []string) {
	if s.consul.datacentre() == "" {
		return nil
	}
	found, err := consulFinder{s}.primaries(ctx)
	if err != nil {
		s.log.Debug("Consul does not say which servers are primaries", "error", err)
	}
	for _, i := range found {
		if i.Healthy && i.Datacentre != s.consul.datacentre() {
			addresses = append(addresses, i.URL())
		}
	}
	return addresses
}

// checkEpoch keeps an old primary that comes back from acting: under a higher epoch it becomes a secondary, and under the same one
// it, which is the younger of two, does not start.
func (s *instance) checkEpoch(ctx context.Context) error {
	if !s.settings.Primary {
		return nil
	}
	patience := 5 * time.Second
	if time.Now().Before(s.offerFrom) {
		patience = time.Second // the other side was said to be lost just now, and who asked for that waits
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	own := s.claims(ctx) // first, since those that were lost take all the time there is
	epoch, who, _ := s.highest(ctx)
	switch {
	case epoch > s.epoch:
		s.log.Warn("another side acts under a higher epoch: this one becomes a secondary", "epoch", s.epoch, "their_epoch", epoch, "who", who)
		s.settings.Primary = false
		return writeRole(s.dir, role{Epoch: epoch, Since: time.Now().UTC(), Why: "another side acts: " + who, Other: s.other})
	case epoch == s.epoch && who != "" && !own:
		return fault.New(fault.GiveUp, fault.Conflict, "%s is a primary under the same epoch %d: two sides can't act, and this one is the younger; start it without --primary", who, epoch)
	}
	return nil
}

// watchEpoch looks, while this side is the primary, whether another one acts under a higher epoch.
func (s *instance) watchEpoch(ctx context.Context) {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	said := ""
	for {
		if text := s.unseen(); text != said && text != "" {
			s.log.Warn(text)
			said = text
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		asking, cancel := context.WithTimeout(ctx, 5*time.Second)
		epoch, who, _ := s.highest(asking)
		cancel()
		if epoch <= s.epoch {
			continue
		}
		s.overtaken.Store(true) // nothing is decided from here on, whatever else has to be stopped first
		s.log.Error("another side acts under a higher epoch: this one stops, and becomes a secondary", "epoch", s.epoch, "their_epoch", epoch, "who", who)
		if err := s.become(role{Epoch: epoch, Since: time.Now().UTC(), Why: "another side acts: " + who, Other: s.other}); err != nil {
			s.log.Error("the role can't be written", "error", err)
		}
		return
	}
}

func (s *instance) startWatch(context.Context) error {
	if !s.settings.Primary || s.settings.Replication.Token == "" {
		return nil
	}
	if _, err := s.replicationClient(); err != nil {
		return err // or it would never find out that another side acts
	}
	watching, cancel := context.WithCancel(context.Background())
	s.watched, s.endWatch = make(chan struct{}), cancel
	go func() {
		defer close(s.watched)
		s.watchEpoch(watching)
	}()
	return nil
}

func (s *instance) stopWatch(context.Context) error {
	if s.endWatch != nil {
		s.endWatch()
		<-s.watched
	}
	return nil
}

// mayAct is the orchestrator's authority: the lease, and that no higher epoch was seen.
func (s *instance) mayAct(now time.Time) (left time.Duration, always bool, err error) {
	if s.overtaken.Load() {
		return 0, false, fault.New(fault.Wait, fault.AuthorityLost, "another side acts under a higher epoch")
	}
	if err := s.rival.trouble(s.epoch); err != nil {
		return 0, false, err
	}
	return s.lease.Left(now)
}
