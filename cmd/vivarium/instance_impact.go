package main

import (
	"context"

	"github.com/vivarium-env/vivarium/pkg/api"
	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/impact"
)

// impact is nil in a secondary, which may not have the key without which nothing can be compared.
func (s *instance) impact() func(context.Context, api.ImpactQuestion) (wire.TemplateImpact, error) {
	if !s.settings.Primary {
		return nil
	}
	x := impact.New(impact.Options{Store: s.store, Kinds: s.kit.kinds, Box: s.box, Scratch: s.path("impact")})
	return func(ctx context.Context, q api.ImpactQuestion) (wire.TemplateImpact, error) {
		ref := q.Name
		if q.Version != "" {
			ref += "@" + q.Version
		}
		t, err := s.catalogue.Get(ctx, ref)
		if err != nil {
			return wire.TemplateImpact{}, err
		}
		p, err := x.Of(ctx, impact.Question{Template: t, Limit: q.Limit, Cursor: q.Cursor, Within: q.Within})
		return wire.TemplateImpact{Template: t.Ref(), Items: p.Effects, Next: p.Next, NotLookedAt: p.Left}, err
	}
}
