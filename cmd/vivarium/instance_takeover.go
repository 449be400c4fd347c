package main

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/cluster/authority"
	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/memory"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// Orders that sides and people give to a server, signed with the replication token.
const (
	orderPromote  = "promote"
	orderStepDown = "step-down"
	orderCommands = "commands"
	orderStandBy  = "stand-by"
	orderForget   = "forget"
)

// promotion is what is asked of a secondary: to take over.
type promotion struct {
	Token string `json:"token"`
	// Force: the primary is not asked, since it can't be.
	Force bool `json:"force"`
	// Alone: other secondaries that can't be asked are done without.
	Alone bool `json:"alone,omitempty"`
	// Address is where the side that takes over is reached, as far as it knows.
	Address string `json:"address,omitempty"`
}

// promoted is the answer.
type promoted struct {
	Epoch uint64 `json:"epoch"`
	// OfferFrom is when steps run; commands are taken at once.
	OfferFrom time.Time `json:"offer_from,omitzero"`
	// Agreed: the primary has stepped down, and everything that it had is here.
	Agreed bool `json:"agreed"`
	// Entries is how many the journal has, the same on both sides by its checksums, and InFlight how many steps did not end before
	// the primary stepped down; both where it has agreed.
	Entries  uint64 `json:"entries,omitempty"`
	InFlight int    `json:"in_flight,omitempty"`
}

// steppedDown is what a primary leaves.
type steppedDown struct {
	replication.Identity
	InFlight int `json:"in_flight"`
}

func (s *instance) orders() map[string]func(context.Context, []byte) (any, error) {
	return map[string]func(context.Context, []byte) (any, error){orderPromote: s.promote, orderStepDown: s.stepDown, orderCommands: s.takeCommands,
		orderStandBy: s.standsBy, orderForget: s.forget}
}

// openRole lets what a takeover has made of this side count for more than the flag.
func (s *instance) openRole() error {
	r, err := readRole(s.dir)
	if err != nil || r == nil {
		return err
	}
	if s.settings.Primary != r.Primary {
		s.log.Warn("a takeover has changed the role of this side: --primary does not count", "primary", r.Primary, "epoch", r.Epoch, "since", r.Since, "why", r.Why)
	}
	s.roleEpoch = r.Epoch
	s.settings.Primary, s.offerFrom, s.other, s.handing = r.Primary, r.OfferFrom, r.Other, r.HandOver && !r.Primary
	return nil
}

// become has this process begin anew in another role.
func (s *instance) become(r role) error {
	s.roleFile.Lock()
	defer s.roleFile.Unlock()
	if err := writeRole(s.dir, r); err != nil {
		return err
	}
	s.turn()
	return nil
}

// promote takes over: it has the primary step down, or, forced, waits until nothing of it can be under way; raises the
// epoch where all sides look, journals it, and begins anew as the primary.
func (s *instance) promote(ctx context.Context, data []byte) (any, error) {
	var p promotion
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fault.Wrap(err, fault.Reject, fault.Invalid, "the order can't be read")
	}
	s.roles.Lock()
	defer s.roles.Unlock()
	epoch, err := s.store.Epoch(ctx)
	switch {
	case err != nil:
		return nil, err
	case s.settings.Primary:
		return nil, fault.New(fault.Reject, fault.Conflict, "this side is the primary already, under epoch %d", epoch)
	case !s.up.Load() || s.follower == nil:
		return nil, fault.New(fault.Wait, fault.Unavailable, "this server is still starting, or follows nobody")
	}
	epoch = max(epoch, 1)
	if err := authority.CheckToken([]byte(s.settings.Replication.Token), p.Token, epoch, time.Now()); err != nil {
		return nil, err
	}
	answer := promoted{Epoch: epoch + 1}
	if p.Force {
		if answer.OfferFrom, err = s.agree(ctx, answer.Epoch, p.Alone); err != nil {
			return nil, err
		}
	} else if err := s.askDown(ctx, p.Token, &answer); err != nil {
		return nil, err
	}
	return answer, s.takeOver(ctx, answer, p.Force)
}

// takeOver is the end of a promotion. What fails before the journal has it leaves everything as it was, but for a claim of
// an epoch under which nobody acts.
func (s *instance) takeOver(ctx context.Context, p promoted, force bool) error {
	claim := authority.Claim{Epoch: p.Epoch, Side: s.ownCluster(), By: s.id, At: time.Now().UTC()}
	if err := s.claim(ctx, claim, force); err != nil {
		return err
	}
	if err := s.follower.Stop(ctx); err != nil {
		return err
	}
	if err := journal(ctx, s.store, environment.Promoted{Epoch: p.Epoch, Side: claim.Side, Server: s.id, Forced: force}); err != nil {
		return err
	}
	why := "this side took over"
	s.log.Warn("this side takes over", "epoch", p.Epoch, "forced", force, "steps_from", p.OfferFrom)
	s.signals.Say(ctx, func(e *event.Signal) { // or others of this side go on refusing commands until this one is back
		e.Role, e.Epoch, e.OfferFrom = string(wire.Primary), p.Epoch, &p.OfferFrom
	})
	s.acceptAgain(ctx)
	return s.become(role{Primary: true, Epoch: p.Epoch, Since: claim.At, Why: why, OfferFrom: p.OfferFrom, Other: s.follower.Status().Address})
}

// acceptAgain leaves commands on the bus for the primary that this process becomes: what it does before, such as telling a Consul that does
// not answer, can take seconds.
func (s *instance) acceptAgain(ctx context.Context) {
	if !s.up.Load() || s.refuser == nil {
		return // it has not begun to answer
	}
	if err := s.refuser.Stop(ctx); err != nil {
		s.log.Warn("commands could not be left alone", "error", err)
	}
}

// journal writes a fact of the cluster, and with it the epoch, which fences whoever writes under a lower one.
func journal(ctx context.Context, in store.Store, b environment.Promoted) error {
	m, err := memory.Load(ctx, in, 0)
	if err != nil {
		return err
	}
	data, err := json.Marshal(b)
	if err != nil {
		return err
	}
	e := store.Entry{Partition: 0, Seq: m.Seq + 1, Environment: environment.ClusterName, Type: b.Type(), Time: time.Now().UTC(), Epoch: b.Epoch, Data: data}
	e.Chain = store.Link(m.Chain, e)
	batch := store.Batch{Partition: 0, Epoch: b.Epoch, Entries: []store.Entry{e}}
	if err := m.Take(ctx, e); err != nil {
		return err
	}
	if err := m.Fill(&batch); err != nil {
		return err
	}
	return in.Append(ctx, batch)
}

// askDown has the primary step down, and waits until all that it had is here.
func (s *instance) askDown(ctx context.Context, token string, answer *promoted) error {
	st := s.follower.Status()
	if st.State == replication.Stopped || st.State == replication.Refused {
		return fault.New(fault.Reject, fault.Unavailable, "the primary can't be asked to step down (%s: %s): if it is lost, say --force; what it has not sent is then missing, and steps wait until its lease has passed", st.State, st.Reason)
	}
	client, err := s.replicationClient()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	address, err := s.primaryAddress(ctx, client)
	if err != nil {
		return fault.Wrap(err, fault.Reject, fault.Unavailable, "the primary can't be asked to step down (%s: %s): if it is lost, say --force; what it has not sent is then missing, and steps wait until its lease has passed", st.State, fault.From(err).Message)
	}
	var left steppedDown
	if err := replication.NewRemote(address, s.settings.Replication.Token, client).Order(ctx, orderStepDown, promotion{Token: token, Address: s.ownAddress()}, &left); err != nil {
		if e := fault.From(err); e.Disposition == fault.Retry || e.Disposition == fault.Wait {
			return fault.Wrap(err, fault.Reject, e.Code, "the primary was not heard to step down (%s): ask again, or say --force if it is lost; what it has not sent is then missing, and steps wait until its lease has passed", e.Message)
		}
		return err
	}
	if left.InFlight > 0 {
		answer.OfferFrom = time.Now().Add(s.settings.Cluster.Margin) // for what was told to stop to end
	}
	answer.Agreed, answer.InFlight = true, left.InFlight
	for _, h := range left.Heads {
		answer.Entries += h.Seq
	}
	return s.reach(ctx, left.Heads)
}

// primaryAddress is where the primary answers now: this server may wait while another one of its side follows.
func (s *instance) primaryAddress(ctx context.Context, client *http.Client) (string, error) {
	addresses, err := s.finder().Find(ctx)
	if err != nil {
		return "", err
	}
	err = fault.New(fault.Wait, fault.Unavailable, "nobody knows where it is")
	for _, address := range append([]string{s.follower.Status().Address}, addresses...) {
		if address == "" {
			continue
		}
		id, failed := replication.NewRemote(address, s.settings.Replication.Token, client).Identity(ctx)
		switch {
		case failed != nil:
			err = failed
		case id.Role == replication.Primary && !id.Leaving:
			return address, nil
		default:
			err = fault.New(fault.Wait, fault.NotPrimary, "%s is no primary, or leaving", address)
		}
	}
	return "", err
}

// reach waits until the journal here is what the primary left, entry by entry.
func (s *instance) reach(ctx context.Context, heads []replication.Position) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for _, want := range heads {
		for {
			at, err := replication.Head(ctx, s.store, want.Partition)
			if err != nil {
				return err
			}
			if at == want {
				break
			}
			if at.Seq > want.Seq || (at.Seq == want.Seq && at.Mark != want.Mark) {
				return fault.New(fault.GiveUp, fault.Conflict, "partition %d is another journal here than the primary's: nothing was changed", want.Partition)
			}
			select {
			case <-ctx.Done():
				return fault.From(ctx.Err())
			case <-tick.C:
			}
		}
	}
	return nil
}
