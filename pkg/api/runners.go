package api

import (
	"cmp"
	"slices"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/event"
)

// runners are those that were heard lately.
func (s *Server) runners(k *call) error {
	list := []wire.Runner{}
	for _, a := range s.alive() {
		list = append(list, wire.Runner{
			Name: a.Name, Runner: a.Runner, Pools: filled(a.Pools), Executors: filled(a.Executors), Probes: filled(a.Probes), Labels: filled(a.Labels),
			Concurrency: a.Concurrency, Running: a.Running, Leaving: a.Leaving, Breakers: filled(a.Breakers), Version: a.Version,
			LastHeard: a.Time,
		})
	}
	return answerList(k, list, "", "")
}

func (s *Server) alive() []event.Alive {
	if s.options.Runners == nil {
		return nil
	}
	all := slices.Clone(s.options.Runners())
	slices.SortFunc(all, func(a, b event.Alive) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Runner, b.Runner))
	})
	return all
}

// addRunners adds to the health what runners can't reach, and which pools have none.
func (s *Server) addRunners(h *wire.Health) {
	if s.options.Runners == nil {
		return
	}
	served := map[string]bool{}
	for _, a := range s.alive() {
		for _, pool := range a.Pools {
			served[pool] = served[pool] || !a.Leaving
		}
		for _, b := range a.Breakers {
			h.Breakers = append(h.Breakers, wire.RunnerBreaker{RunnerName: a.Name, Breaker: b})
		}
	}
	if s.options.Pools != nil {
		for _, pool := range s.options.Pools() {
			if !served[pool] {
				h.PoolsWithoutRunners = append(h.PoolsWithoutRunners, pool)
			}
		}
	}
	slices.Sort(h.PoolsWithoutRunners)
	h.PoolsWithoutRunners = slices.Compact(h.PoolsWithoutRunners)
	if len(h.Breakers) > 0 || len(h.PoolsWithoutRunners) > 0 {
		h.Status = degraded
	}
}
