package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/vivarium-env/vivarium/pkg/cluster/authority"
	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// handOver is how long a primary that has stepped down goes on serving its journal before it becomes a secondary.
const handOver = 30 * time.Second

// stepDown is what a secondary asks that takes over as planned: work is drained, nothing more is taken, and how far the journal
// is then is the answer. The process becomes a secondary once the other side acts, or begins anew as the primary when it does not.
func (s *instance) stepDown(ctx context.Context, data []byte) (any, error) {
	var p promotion
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fault.Wrap(err, fault.Reject, fault.Invalid, "the order can't be read")
	}
	s.roles.Lock()
	defer s.roles.Unlock()
	if !s.settings.Primary || !s.up.Load() {
		return nil, fault.New(fault.Reject, fault.NotPrimary, "this side is no primary")
	}
	if err := authority.CheckToken([]byte(s.settings.Replication.Token), p.Token, s.epoch, time.Now()); err != nil {
		return nil, err
	}
	s.log.Warn("this side steps down, as it was asked to: work is drained")
	drain, cancel := context.WithTimeout(ctx, s.settings.StopTimeout)
	defer cancel()
	if err := s.work.Stop(drain); err != nil {
		s.log.Warn("not everything could finish; it is in doubt for the other side", "error", err)
	}
	go s.afterwards()
	return s.source.Identity(ctx)
}

// afterwards begins anew after a step down, once the other side acts, or has not for long enough.
func (s *instance) afterwards() {
	ctx, cancel := context.WithTimeout(context.Background(), handOver)
	defer cancel()
	for {
		if epoch, _ := s.highest(ctx); epoch > s.epoch || s.draining.Load() || ctx.Err() != nil {
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	select {
	case s.turning <- struct{}{}:
	default:
	}
}

// highest finds out under which epoch another side acts, as far as it can be asked: where all sides look, and at its
// addresses.
func (s *instance) highest(ctx context.Context) (epoch uint64, who string) {
	if c, found := s.claimed(ctx); found {
		epoch, who = c.Epoch, fmt.Sprintf("%s, by Consul", c.Side)
	}
	client, err := s.replicationClient()
	if err != nil || s.settings.Replication.Token == "" {
		return epoch, who
	}
	defer client.CloseIdleConnections()
	for _, address := range s.settings.Replication.Primary {
		id, err := replication.NewRemote(address, s.settings.Replication.Token, client).Identity(ctx)
		if err == nil && id.Role == replication.Primary && id.Server != s.id && id.Epoch >= epoch {
			epoch, who = id.Epoch, "the server at "+address
		}
	}
	return epoch, who
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
	epoch, who := s.highest(ctx)
	switch {
	case epoch > s.epoch:
		s.log.Warn("another side acts under a higher epoch: this one becomes a secondary", "epoch", s.epoch, "their_epoch", epoch, "who", who)
		s.settings.Primary = false
		return writeRole(s.dir, role{Epoch: epoch, Since: time.Now().UTC(), Why: "another side acts: " + who})
	case epoch == s.epoch && who != "" && !s.claims(ctx):
		return fault.New(fault.GiveUp, fault.Conflict, "%s is a primary under the same epoch %d: two sides can't act, and this one is the younger; start it without --primary", who, epoch)
	}
	return nil
}

// watchEpoch looks, while this side is the primary, whether another one acts under a higher epoch.
func (s *instance) watchEpoch(ctx context.Context) {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		asking, cancel := context.WithTimeout(ctx, 5*time.Second)
		epoch, who := s.highest(asking)
		cancel()
		if epoch <= s.epoch {
			continue
		}
		s.overtaken.Store(true) // nothing is decided from here on, whatever else has to be stopped first
		s.log.Error("another side acts under a higher epoch: this one stops, and becomes a secondary", "epoch", s.epoch, "their_epoch", epoch, "who", who)
		if err := s.become(role{Epoch: epoch, Since: time.Now().UTC(), Why: "another side acts: " + who}); err != nil {
			s.log.Error("the role can't be written", "error", err)
		}
		return
	}
}

func (s *instance) startWatch(context.Context) error {
	if !s.settings.Primary || s.settings.Replication.Token == "" {
		return nil
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
	return s.lease.Left(now)
}
