package vault

import (
	"context"
	"maps"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// storeBlock is the part of a block that says where, in a KV version 2 engine, what Vault gives out only once is kept
// between applies. Its mark says whose the whole resource is.
type storeBlock struct {
	StoreMount string `json:"store_mount"`
	Store      string `json:"store"`
}

func storeSpec(spec hcldec.ObjectSpec) hcldec.ObjectSpec {
	spec["store"], spec["store_mount"] = text("store", true), text("store_mount", false)
	return spec
}

func storeOutputs(outputs map[string]template.Output) map[string]template.Output {
	outputs["store"] = template.Output{Type: cty.String, Description: "The path of the secret that keeps what Vault gives out only once."}
	outputs["store_mount"] = template.Output{Type: cty.String, Description: "The mount of that secret."}
	return outputs
}

func (b storeBlock) place(r executor.Request) (place, error) {
	return cleanPlace(r, "store_mount", b.StoreMount, "store", b.Store)
}

func storePlaces(r executor.Request, now place) []place {
	return places(r, now, "store_mount", "store")
}

func putStore(r executor.Request, outputs executor.Outputs, p place) executor.Outputs {
	outputs["store"], outputs["store_mount"] = output(r, p.path, false), output(r, p.mount, false)
	return outputs
}

// stored is what a store of ours holds.
type stored struct {
	place  place
	record record
	values map[string]string
}

// open claims the store and reads it; what an earlier apply kept at another place is carried over.
func (s session) open(ctx context.Context, p place) (stored, error) {
	rec, err := s.claim(ctx, p)
	if err != nil {
		return stored{}, err
	}
	st := stored{place: p, record: rec}
	from := p
	if before, ok := placeBefore(s.r, "store_mount", "store"); rec.version == 0 && ok && before != p {
		old, err := s.look(ctx, before)
		if err != nil {
			return st, err
		}
		if old.exists && s.ours(before, old) == nil {
			carried := maps.Clone(old.custom)
			// An attempt that was cut off may have carried and changed them already.
			maps.Copy(carried, rec.custom)
			if err := s.note(ctx, p, rec, carried); err != nil {
				return st, err
			}
			maps.Copy(st.record.custom, carried)
			from = before
		}
	}
	values, err := s.values(ctx, from)
	st.values = map[string]string{}
	for k, v := range values {
		st.values[k], _ = v.(string)
	}
	return st, err
}

// save writes values unless they are there already, and notes after them.
func (s session) save(ctx context.Context, st *stored, values, notes map[string]string) error {
	if st.record.version == 0 || !maps.Equal(values, st.values) {
		all := map[string]any{}
		for k, v := range values {
			all[k] = v
		}
		version, err := s.write(ctx, st.place, st.record.version, all)
		if err != nil {
			return err
		}
		st.record.version, st.values = version, values
	}
	return s.annotateStore(ctx, st, notes)
}

func (s session) annotateStore(ctx context.Context, st *stored, notes map[string]string) error {
	if err := s.note(ctx, st.place, st.record, notes); err != nil {
		return err
	}
	maps.Copy(st.record.custom, notes)
	return nil
}

// forget removes the store that an earlier apply used, when it was another one.
func (s session) forget(ctx context.Context, now place) error {
	if before, ok := placeBefore(s.r, "store_mount", "store"); ok && before != now {
		return s.leave(ctx, before)
	}
	return nil
}
