package plan

import (
	"time"

	"github.com/vivarium-env/vivarium/pkg/environment"
)

// Lifetime is the shortest that a template gives its environments, "" when none does.
func (p *Plan) Lifetime() string {
	var least time.Duration
	for _, s := range p.scopes {
		if d := s.t.Lifetime; d > 0 && (least == 0 || d < least) {
			least = d
		}
	}
	if least == 0 {
		return ""
	}
	return least.String()
}

// Standing is what the templates say is done again and again; of two that say it, the first in the request counts.
func (p *Plan) Standing() (all environment.Standing) {
	for _, s := range p.scopes {
		if all.Hours == nil {
			all.Hours = s.t.Standing.Hours
		}
		if all.Drift == nil {
			all.Drift = s.t.Standing.Drift
		}
	}
	return all
}
