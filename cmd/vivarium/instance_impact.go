package main

import (
	"context"
	"maps"

	"github.com/vivarium-env/vivarium/pkg/api"
	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/executor/terraform"
	"github.com/vivarium-env/vivarium/pkg/impact"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// impact is nil in a secondary, which may not have the key without which nothing can be compared.
func (s *instance) impact() func(context.Context, api.ImpactQuestion) (wire.TemplateImpact, error) {
	if !s.settings.Primary {
		return nil
	}
	x := impact.New(impact.Options{Store: s.store, Kinds: s.kit.kinds, Box: s.box, Sent: s.sentKinds(), Scratch: s.path("impact")})
	return func(ctx context.Context, q api.ImpactQuestion) (wire.TemplateImpact, error) {
		question := impact.Question{Limit: q.Limit, Cursor: q.Cursor, Within: q.Within}
		if q.Packed != nil {
			t, p, err := x.OfSent(ctx, q.Name, q.Packed, question)
			return impactPage(t, p), err
		}
		ref := q.Name
		if q.Version != "" {
			ref += "@" + q.Version
		}
		t, err := s.catalogue.Get(ctx, ref)
		if err != nil {
			return wire.TemplateImpact{}, err
		}
		question.Template = t
		p, err := x.Of(ctx, question)
		return impactPage(t.Ref(), p), err
	}
}

func impactPage(t environment.Template, p impact.Page) wire.TemplateImpact {
	return wire.TemplateImpact{Template: t, Items: p.Effects, Next: p.Next, NotLookedAt: p.Left}
}

// sentKinds compile what comes over the API: no module is fetched for a stranger.
func (s *instance) sentKinds() template.Kinds {
	kinds := maps.Clone(s.kit.kinds)
	still := terraform.New(terraform.Options{Log: s.log}).Kind()
	kinds[still.Name] = still
	return kinds
}
