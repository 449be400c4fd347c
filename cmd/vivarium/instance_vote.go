package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/cluster/authority"
	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// voteFile is what this secondary has promised, over restarts.
const voteFile = "vote.json"

// vote is a secondary's promise that a side may take over under an epoch: it says no word more to a primary of a lower one.
type vote struct {
	Epoch uint64    `json:"epoch"`
	To    string    `json:"to"`
	At    time.Time `json:"at"`
}

// votes guards the promise of this secondary.
type votes struct {
	mu      sync.Mutex
	given   vote
	entries uint64 // this side's, where the promise is to itself
	final   bool   // it is to itself, and enough others agree
}

// standBy is what a secondary that takes over by force asks the others.
type standBy struct {
	Epoch uint64 `json:"epoch"`
	// To is who asks, and Entries how many its journal has: of two that ask each other at once, the one with more goes on.
	To      string `json:"to"`
	Entries uint64 `json:"entries"`
	// Positions are how many entries each partition has there; absent from a server of before.
	Positions []uint64 `json:"positions,omitempty"`
	// Release takes the promise back: the takeover came to nothing.
	Release bool `json:"release,omitempty"`
}

// stoodBy is the answer.
type stoodBy struct {
	// Winner is who has the promise; empty where nobody has, since whoever was asked has more.
	Winner string `json:"winner"`
	// Positions are how many entries each partition has here, and SafeIn how long the primary may act on what it was told.
	Positions []uint64      `json:"positions"`
	SafeIn    time.Duration `json:"safe_in"`
	// Counted: the primary has told this secondary that it is counted, so it has what others may rest on.
	Counted bool `json:"counted"`
}

func (s *instance) openVote() error {
	return readKept(s.path(voteFile), &s.votes.given)
}

// keepVote has a promise on the disk before it counts; mu is held.
func (s *instance) keepVote(v vote) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := secret.WriteFile(s.path(voteFile), append(data, '\n')); err != nil {
		return err
	}
	s.votes.given = v
	return nil
}

// promised is the lowest epoch of a primary that this secondary talks to.
func (s *instance) promised() uint64 {
	s.votes.mu.Lock()
	defer s.votes.mu.Unlock()
	return s.votes.given.Epoch
}

// standsBy answers another secondary that is about to take over. Whoever has the promise for an epoch keeps it, unless this side has
// given it to itself, has not gone on yet, and the other one has more.
func (s *instance) standsBy(ctx context.Context, data []byte) (any, error) {
	var q standBy
	if err := json.Unmarshal(data, &q); err != nil || q.To == "" {
		return nil, fault.New(fault.Reject, fault.Invalid, "the order can't be read")
	}
	if s.settings.Primary || !s.up.Load() || s.follower == nil {
		return nil, fault.New(fault.Reject, fault.Conflict, "%s is the primary, or starting", s.name().Server)
	}
	winner, err := s.giveOrNot(ctx, q)
	if err != nil {
		return nil, err
	}
	positions, err := s.positions(ctx) // after the promise: no primary is told of what comes later
	_, uncounted := s.otherSecondaries(q.Epoch - 1)
	return stoodBy{Winner: winner, Positions: positions, SafeIn: max(time.Until(s.promise.Safe(s.begun)), 0), Counted: uncounted == nil}, err
}

// giveOrNot gives no promise to one that has less: it will not take over, and would only keep this side from it, where both are told to at once.
func (s *instance) giveOrNot(ctx context.Context, q standBy) (winner string, err error) {
	positions, err := s.positions(ctx)
	if err != nil {
		return "", err
	}
	if q.Release || len(q.Positions) == 0 || ahead(positions, q.Positions) == 0 || ahead(q.Positions, positions) > 0 {
		return s.give(q)
	}
	s.votes.mu.Lock()
	defer s.votes.mu.Unlock()
	if s.votes.given.Epoch < q.Epoch {
		return "", nil
	}
	return s.votes.given.To, nil
}

func (s *instance) give(q standBy) (winner string, err error) {
	v := &s.votes
	v.mu.Lock()
	defer v.mu.Unlock()
	self := s.voter()
	switch mine := v.given; {
	case q.Release && mine.Epoch == q.Epoch && mine.To == q.To:
		return "", s.keepVote(vote{})
	case q.Release:
		return mine.To, nil
	case mine.Epoch < q.Epoch,
		mine.Epoch == q.Epoch && mine.To == self && !v.final && (q.Entries > v.entries || q.Entries == v.entries && q.To > self):
		err = s.keepVote(vote{q.Epoch, q.To, time.Now().UTC()})
	}
	return v.given.To, err
}

// voter is what this secondary is called among the others.
func (s *instance) voter() string {
	n := s.name()
	return n.Cluster + "/" + n.Server
}

// positions are how many entries each partition has here.
func (s *instance) positions(ctx context.Context) (all []uint64, err error) {
	for n := range s.settings.Partitions {
		h, err := s.store.Head(ctx, n)
		if err != nil {
			return nil, err
		}
		all = append(all, h.Seq)
	}
	return all, nil
}

// agree has so many of the other secondaries stand by that the old primary can't go on with those that are left, and that one of them
// knows of every offer. alone does without those that can't be asked. It returns when nothing of the old side can be under way.
func (s *instance) agree(ctx context.Context, epoch uint64, alone bool) (safe time.Time, err error) {
	self := s.voter()
	positions, err := s.positions(ctx)
	if err != nil {
		return safe, err
	}
	q := standBy{Epoch: epoch, To: self, Positions: positions}
	for _, n := range positions {
		q.Entries += n
	}
	if err := s.stand(q, alone); err != nil {
		return safe, err
	}
	safe = s.promise.Safe(s.begun)
	others, err := s.otherSecondaries(epoch - 1)
	if err != nil && !alone {
		s.release(ctx, q, others)
		return safe, err
	}
	have, missing := 1, []string{}
	for _, other := range others {
		a, err := s.ask(ctx, other, q)
		switch {
		case err != nil:
			missing = append(missing, fmt.Sprintf("%s (%s)", other.Server, fault.From(err).Message))
			continue
		case a.Winner != self && a.Winner != "":
			s.release(ctx, q, others)
			return safe, fault.New(fault.Reject, authority.Raced, "%s takes over under epoch %d, and %s has agreed: this side does not", a.Winner, epoch, other.Server)
		}
		if positions, err = s.complete(ctx, other, a.Positions, positions); err != nil {
			s.release(ctx, q, others)
			return safe, err
		}
		if until := time.Now().Add(a.SafeIn); until.After(safe) {
			safe = until
		}
		if a.Counted {
			have++
		} else {
			missing = append(missing, other.Server+" (it does not know that the primary counts it)")
		}
	}
	if need := authority.Agree(len(others) + 1); have < need && !alone {
		s.release(ctx, q, others)
		return safe, fault.New(fault.Reject, fault.Unavailable,
			"%d of %d secondaries have to agree, and %d do; without %s the primary may act on, and others may have what this side does not. If they are lost too, say --alone",
			need, len(others)+1, have, strings.Join(missing, ", "))
	}
	if err := s.goOn(epoch); err != nil {
		s.release(ctx, q, others)
		return safe, err
	}
	return safe, nil
}

// stand gives the promise to this side itself, unless somebody else has it.
func (s *instance) stand(q standBy, alone bool) error {
	v := &s.votes
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.given.Epoch >= q.Epoch && v.given.To != q.To && !alone {
		return fault.New(fault.Reject, authority.Raced, "this secondary has agreed at %s that %s takes over under epoch %d; if that one is lost too, say --alone",
			v.given.At.Format(time.RFC3339), v.given.To, v.given.Epoch)
	}
	v.final, v.entries = false, q.Entries
	return s.keepVote(vote{q.Epoch, q.To, time.Now().UTC()})
}

// goOn is the moment from which on this side does not give its promise to another one.
func (s *instance) goOn(epoch uint64) error {
	v := &s.votes
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.given.To != s.voter() || v.given.Epoch != epoch {
		return fault.New(fault.Reject, authority.Raced, "%s takes over under epoch %d, at the same time and with more: this side does not", v.given.To, epoch)
	}
	v.final = true
	return nil
}

func (s *instance) ask(ctx context.Context, other replication.Name, q standBy) (a stoodBy, err error) {
	if other.API == "" {
		return a, fault.New(fault.Wait, fault.Unavailable, "nobody knows its address")
	}
	client, err := s.replicationClient()
	if err != nil {
		return a, err
	}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return a, replication.NewRemote(other.API, s.settings.Replication.Token, client).Order(ctx, orderStandBy, q, &a)
}

// release takes the promises back that were asked for; whoever is not reached keeps its own.
func (s *instance) release(ctx context.Context, q standBy, others []replication.Name) {
	q.Release = true
	if _, err := s.give(q); err != nil {
		s.log.Error("the promise can't be taken back", "error", err)
	}
	for _, other := range others {
		if _, err := s.ask(ctx, other, q); err != nil {
			s.log.Warn("a secondary was not told that this side does not take over", "server", other.Server, "error", err)
		}
	}
}

// ahead counts what others have, and this side has not.
func ahead(theirs, mine []uint64) (entries uint64) {
	for n, seq := range theirs {
		if n < len(mine) && seq > mine[n] {
			entries += seq - mine[n]
		}
	}
	return entries
}
