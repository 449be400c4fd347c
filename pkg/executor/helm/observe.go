package helm

import (
	"context"
	"encoding/json"
	"strconv"

	"helm.sh/helm/v3/pkg/release"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/internal/objects"
)

// Observe looks at the release's record, and compares its objects with what is live.
func (e *Executor) Observe(ctx context.Context, r executor.Request) (event.Observation, error) {
	s, err := e.begin(ctx, r, true)
	if err != nil {
		return event.Observation{Presence: event.PresenceUnknown}, err
	}
	found, err := s.ours()
	if err != nil {
		return event.Observation{Presence: event.PresenceUnknown}, err
	}
	is := last(found)
	if is == nil {
		o := event.Observation{Presence: event.Absent}
		if r.Outputs != nil { // it was applied once
			o.Drifted, o.Differences = true, []event.Difference{{Path: "release " + s.name, Change: event.ChangeDestroy}}
		}
		return o, nil
	}
	o := event.Observation{Presence: event.Present}
	o.Differences = s.record(is)
	drifted, err := s.drift(deployed(found), false)
	o.Differences = merged(o.Differences, drifted)
	o.Drifted = len(o.Differences) > 0
	return o, err
}

// record compares a release's record with what the last apply put out, and with the block.
func (s *session) record(is *release.Release) (differences []event.Difference) {
	changed := func(path, was, is string) {
		if was != is {
			differences = append(differences, event.Difference{Path: path, Change: event.ChangeUpdate, Before: s.veil.mask(was), After: s.veil.mask(is)})
		}
	}
	changed("status", string(release.StatusDeployed), string(is.Info.Status))
	var out struct {
		Revision int    `json:"revision"`
		Manifest string `json:"manifest"`
	}
	if s.r.Outputs == nil || json.Unmarshal(s.r.Outputs, &out) != nil {
		return differences
	}
	changed("revision", strconv.Itoa(out.Revision), strconv.Itoa(is.Version))
	changed("manifest", out.Manifest, s.fingerprint(is))
	if out.Revision != is.Version {
		before, after := objects.Of(map[string]any{"values": s.block.Values}, nil), objects.Of(map[string]any{"values": is.Config}, nil)
		differences = append(differences, s.compared("", false, before, after)...)
	}
	return differences
}
