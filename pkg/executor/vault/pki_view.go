package vault

import (
	"context"
	"fmt"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
)

// Plan tells whether the certificate would be issued, and why.
func (e *pkiExecutor) Plan(ctx context.Context, r executor.Request, verb event.Verb) (executor.Plan, error) {
	return planOf(ctx, e, r, verb)
}

// Observe looks for a store of this step, and whether the certificate and key of the last apply are in it and good. That it
// is time to renew one is no drift.
func (e *pkiExecutor) Observe(ctx context.Context, r executor.Request) (event.Observation, error) {
	return observationOf(ctx, e, r)
}

func (*pkiExecutor) identity() []string { return []string{"mount", "role", "store_mount", "store"} }

func (e *pkiExecutor) both(ctx context.Context, r executor.Request) (s session, b pkiBlock, err error) {
	if s, err = e.begin(ctx, r); err == nil {
		b, err = decodePKI(r)
	}
	return s, b, err
}

func (e *pkiExecutor) traces(ctx context.Context, r executor.Request) ([]string, error) {
	s, b, err := e.both(ctx, r)
	if err != nil {
		return nil, err
	}
	return s.ownedPlaces(ctx, storePlaces(r, b.place))
}

func (e *pkiExecutor) view(ctx context.Context, r executor.Request) (v view, err error) {
	s, b, err := e.both(ctx, r)
	if err != nil {
		return v, err
	}
	st, moved, err := s.peek(ctx, b.place)
	if err != nil {
		return v, err
	}
	if v.there, v.elsewhere = st.record.version > 0, moved; moved {
		v.asked = s.moves(b.place)
	}
	v.left = s.strayed(st, "certificate", "private_key")
	leaf, err := parseLeaf(st.values)
	if err != nil {
		v.asked = append(v.asked, created(r, "certificate", "issued for "+b.CommonName))
		return v, nil
	}
	now := fmt.Sprintf("serial %s, until %s", st.values["serial"], leaf.NotAfter.UTC().Format(time.RFC3339))
	good, err := s.unrevoked(ctx, b, st.values["serial"])
	if err != nil {
		return v, err
	}
	renewal := b.renewAt(leaf.NotBefore, leaf.NotAfter)
	switch {
	case !good:
		v.asked = append(v.asked, open(r, "certificate", now, "issued again, as it was revoked"))
		v.left = append(v.left, open(r, "certificate", now, "revoked"))
	case st.record.custom[requestNote] != b.fingerprint():
		v.asked = append(v.asked, open(r, "certificate", now, "issued again, as other things are asked of it: "+b.CommonName))
	case !s.o.Now().Before(renewal):
		v.asked = append(v.asked, open(r, "certificate", now, "renewed, as it was to be since "+renewal.UTC().Format(time.RFC3339)))
	}
	return v, nil
}
