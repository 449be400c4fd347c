package api

import (
	"time"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// usage asks for a measurement of what is deployed; a secondary knows of none.
func (s *Server) usage(k *call) error {
	if _, err := s.record(k); err != nil {
		return err
	}
	all, err := s.everyResource(k)
	if err != nil {
		return err
	}
	name, address := k.path("name"), k.path("address")
	for i := range all {
		if all[i].Address == address && all[i].Type == environment.ResourceNode {
			return s.measured(k, name, all[i].ID())
		}
	}
	return notFound("the environment %q has no resource %q", clip(name), clip(address))
}

func (s *Server) measured(k *call, name, identity string) error {
	if s.options.Usage == nil {
		return fault.New(fault.Wait, fault.NotMeasured, "this server is a secondary, which hears no runners: ask a primary")
	}
	u, err := s.options.Usage(k.context(), name, identity)
	if err != nil {
		return err
	}
	if u.Replicas == nil {
		u.Replicas = []event.ReplicaUsage{}
	}
	return k.answer(wire.MeasuredUsage{Usage: u, Age: max(time.Since(u.Time), 0)})
}
