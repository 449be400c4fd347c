package main

import (
	"context"
	"slices"
	"time"

	"github.com/vivarium-env/vivarium/pkg/cluster/authority"
)

// epochKeys are the keys in Consul that say who acts.
type epochKeys struct {
	*consulLink
	key string
	// patience is what each call is given; 0 leaves it to the client.
	patience time.Duration
}

// lostPatience is what a Consul is given that is probably lost with its side: whoever takes over by force waits for it.
const lostPatience = 3 * time.Second

func (k epochKeys) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if k.patience > 0 {
		return context.WithTimeout(ctx, k.patience)
	}
	return context.WithCancel(ctx)
}

// Get implements authority.Keys.
func (k epochKeys) Get(ctx context.Context, place string) ([]byte, uint64, error) {
	ctx, cancel := k.within(ctx)
	defer cancel()
	found, err := k.client.Read(ctx, place, k.key)
	return found.Value, found.Index, err
}

// Swap implements authority.Keys.
func (k epochKeys) Swap(ctx context.Context, place string, value []byte, index uint64) (bool, error) {
	ctx, cancel := k.within(ctx)
	defer cancel()
	return k.client.Swap(ctx, place, k.key, value, index)
}

// places are the datacentres of both sides, as far as they are known; none without Consul.
func (s *instance) places(patience time.Duration) (authority.Keys, []string) {
	own := s.consul.datacentre()
	if own == "" {
		return nil, nil
	}
	return epochKeys{s.consul, s.consul.service + "/" + s.settings.PrimaryClusterName + "/epoch", patience}, distinct(own, s.settings.PrimaryClusterName)
}

func distinct(names ...string) []string {
	names = slices.DeleteFunc(names, func(n string) bool { return n == "" })
	slices.Sort(names)
	return slices.Compact(names)
}

func (s *instance) claim(ctx context.Context, c authority.Claim, force bool) error {
	var patience time.Duration
	if force {
		patience = lostPatience
	}
	keys, places := s.places(patience)
	if len(places) > 0 {
		places = distinct(append(places, s.acting(ctx, keys))...)
	}
	return authority.Write(ctx, keys, places, c, force)
}

// acting is the datacentre of the side that acts, by what was claimed here; after a takeover that is not the one by which the cluster is
// called. "" where nobody has claimed anything, or it is no datacentre.
func (s *instance) acting(ctx context.Context, keys authority.Keys) string {
	c, _ := authority.Read(ctx, keys, []string{s.consul.datacentre()})
	if c.Side == "" || s.consul.client.KnowDatacentre(ctx, c.Side) != nil {
		return ""
	}
	return c.Side
}

// claimed is who acts, by what was claimed; found is false where nobody can be asked.
func (s *instance) claimed(ctx context.Context) (c authority.Claim, found bool) {
	keys, places := s.places(0)
	if len(places) == 0 {
		return c, false
	}
	if known, err := s.consul.client.Datacentres(ctx); err == nil {
		places = append(places, known...) // a side that was lost does not know where the one is that has taken over
	}
	c, _ = authority.Read(ctx, keys, places)
	return c, c.Epoch > 0
}

// claims tells whether the epoch in force was claimed by this side.
func (s *instance) claims(ctx context.Context) bool {
	c, found := s.claimed(ctx)
	return found && c.Epoch == s.epoch && c.Side == s.consul.datacentre()
}
