package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"slices"
	"time"

	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// takeWithin is how long the side that has taken over has for the commands of one request.
const takeWithin = 30 * time.Second

// handedOver are commands that were sent to the side that has stepped down.
type handedOver struct {
	Commands []json.RawMessage `json:"commands"`
}

// answered are their answers, in the same order.
type answered struct {
	Answers []event.Answer `json:"answers"`
}

// takeCommands takes what the other side hands over.
func (s *instance) takeCommands(ctx context.Context, data []byte) (any, error) {
	var h handedOver
	if err := json.Unmarshal(data, &h); err != nil {
		return nil, fault.Wrap(err, fault.Reject, fault.Invalid, "what is handed over can't be read")
	}
	if !s.up.Load() || s.orchestrator == nil {
		return nil, fault.New(fault.Wait, fault.NotPrimary, "this side is no primary, or still starting")
	}
	ctx, cancel := context.WithTimeout(ctx, takeWithin)
	defer cancel()
	answers, err := s.orchestrator.Take(ctx, h.Commands)
	return answered{answers}, err
}

// handsOver is what gives commands to the primary, nil where this side has not just stepped down.
func (s *instance) handsOver() func(context.Context, []json.RawMessage) ([]event.Answer, error) {
	if !s.handing {
		return nil
	}
	return func(ctx context.Context, commands []json.RawMessage) ([]event.Answer, error) {
		client, err := s.replicationClient()
		if err != nil {
			return nil, err
		}
		defer client.CloseIdleConnections()
		all := errors.New("nobody knows where the primary is")
		for _, address := range s.others() {
			var a answered
			err := replication.NewRemote(address, s.settings.Replication.Token, client).Order(ctx, orderCommands, handedOver{commands}, &a)
			if err == nil {
				return a.Answers, nil
			}
			all = err
		}
		return nil, all
	}
}

// others are addresses of the other side, the likeliest first.
func (s *instance) others() (addresses []string) {
	if s.follower != nil {
		addresses = append(addresses, s.follower.Status().Address)
	}
	addresses = append(addresses, s.other)
	addresses = append(addresses, s.settings.Replication.Primary...)
	known := map[string]bool{"": true}
	return slices.DeleteFunc(addresses, func(a string) bool {
		was := known[a]
		known[a] = true
		return was
	})
}

// allHandedOver notes that commands which come from now on are refused, as those to every secondary. It must not wait for a promotion
// under way, which waits in turn for the answers to commands to end.
func (s *instance) allHandedOver() {
	s.roleFile.Lock()
	defer s.roleFile.Unlock()
	r, err := readRole(s.dir)
	if err == nil && r != nil {
		r.HandOver = false
		err = writeRole(s.dir, *r)
	}
	if err != nil {
		s.log.Error("the role can't be written", "error", err)
	}
}

// ownAddress is where the other side reaches this server, empty where only the other side could tell.
func (s *instance) ownAddress() string {
	if s.consul != nil || s.settings.Consul.Advertise != "" {
		return s.scheme() + s.advertised()
	}
	host, _, err := net.SplitHostPort(s.api.Addr())
	if ip := net.ParseIP(host); err != nil || ip == nil || ip.IsUnspecified() {
		return ""
	}
	return s.scheme() + s.api.Addr()
}
