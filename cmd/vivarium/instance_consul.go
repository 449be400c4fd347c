package main

import (
	"context"
	"net"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/cluster/consul"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func (s *instance) openConsul(ctx context.Context) (err error) {
	if s.consul, err = linkConsul(ctx, s.settings.Consul, s.path(datacentreFile), s.turn, s.log.With("part", "consul")); err != nil || s.consul == nil {
		return err
	}
	if err := s.checkDatacentre(ctx); err != nil {
		s.consul.close()
		return err
	}
	return nil
}

// checkDatacentre holds the cluster's name against what Consul says: a primary is in the datacentre of that name, and a
// secondary's primary in one that its own agent knows.
func (s *instance) checkDatacentre(ctx context.Context) error {
	own := s.consul.datacentre()
	switch {
	case own == "":
		return nil // Consul is away, and always was: once it answers, this process begins anew
	case s.settings.IsDefault("primary_cluster_name") && s.settings.Primary:
		s.settings.PrimaryClusterName = own
		return nil
	case s.settings.IsDefault("primary_cluster_name"):
		return usage("a secondary needs --primary-cluster-name: the Consul datacentre of its primary")
	}
	err := s.consul.client.KnowDatacentre(ctx, s.settings.PrimaryClusterName)
	if fault.Is(err, fault.NotFound) {
		return err
	}
	return nil // what can't be asked now is asked again when it is needed
}

func (s *instance) closeConsul(context.Context) error {
	s.consul.close()
	return nil
}

func (s *instance) register(ctx context.Context) error { return s.consul.register(ctx, s.asInstance) }

func (s *instance) deregister(ctx context.Context) error { return s.consul.leave(ctx) }

// asInstance is what Consul is told of this server.
func (s *instance) asInstance() consul.Instance {
	address := s.advertised()
	return consul.Instance{ID: s.id, Service: s.consul.service + "-server", Name: runnerName(s.settings, "server"), Cluster: s.settings.PrimaryClusterName,
		Role: string(s.role()), Epoch: s.epoch, Version: version, Address: address, TLS: s.settings.ListenCertFile != "",
		Health: s.scheme() + address + "/api/v1/self/liveliness"}
}

// advertised is where others reach the API: an address for all interfaces is that of the agent's machine.
func (s *instance) advertised() string {
	if s.settings.Consul.Advertise != "" {
		return s.settings.Consul.Advertise
	}
	host, port, err := net.SplitHostPort(s.api.Addr())
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		if own := towards(s.settings.Consul.Address); own != "" {
			return net.JoinHostPort(own, port)
		}
		if own := s.consul.itself.said().Address; own != "" {
			return net.JoinHostPort(own, port)
		}
	}
	return s.api.Addr()
}

// towards is this machine's address as an agent sees it that is on another, as in a cluster whose pods have addresses of their own; "" for
// one on this machine, which knows better by what address that is known.
func towards(agent string) string {
	if _, rest, ok := strings.Cut(agent, "://"); ok {
		agent = rest
	}
	c, err := net.Dial("udp", agent) // which sends nothing
	if err != nil {
		return ""
	}
	defer func() { _ = c.Close() }()
	host, _, err := net.SplitHostPort(c.LocalAddr().String())
	if ip := net.ParseIP(host); err != nil || ip == nil || ip.IsLoopback() {
		return ""
	}
	return host
}
