package vault

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Plan compares the settings of the role, and tells whether its secret id would be replaced, and why.
func (e *appRoleExecutor) Plan(ctx context.Context, r executor.Request, verb event.Verb) (executor.Plan, error) {
	return planOf(ctx, e, r, verb)
}

// Observe looks for a store of this step, which is there as long as the role is, and whether the role and its secret id are
// as the last apply left them.
func (e *appRoleExecutor) Observe(ctx context.Context, r executor.Request) (event.Observation, error) {
	return observationOf(ctx, e, r)
}

func (*appRoleExecutor) identity() []string {
	return []string{"mount", "role_name", "store_mount", "store"}
}

func (e *appRoleExecutor) both(ctx context.Context, r executor.Request) (s session, b appRoleBlock, err error) {
	if s, err = e.begin(ctx, r); err == nil {
		b, err = decodeAppRole(r)
	}
	return s, b, err
}

func (e *appRoleExecutor) traces(ctx context.Context, r executor.Request) (owned []string, err error) {
	s, b, err := e.both(ctx, r)
	if err != nil {
		return nil, err
	}
	for _, p := range storePlaces(r, b.place) {
		rec, err := s.look(ctx, p)
		if err != nil {
			return nil, err
		}
		if rec.exists && s.ours(p, rec) == nil {
			if role := rec.custom[roleNote]; role != "" {
				owned = append(owned, role)
			}
			owned = append(owned, p.String())
		}
	}
	return owned, nil
}

func (e *appRoleExecutor) view(ctx context.Context, r executor.Request) (v view, err error) {
	s, b, err := e.both(ctx, r)
	if err != nil {
		return v, err
	}
	st, moved, err := s.peek(ctx, b.place)
	if err != nil {
		return v, err
	}
	if v.there, v.elsewhere = st.record.exists, moved; moved {
		v.asked = s.moves(b.place)
	}
	v.left = s.strayed(st, "role_id", "secret_id")
	found, err := s.get(ctx, "reading a role", b.path())
	if err != nil {
		return v, err
	}
	note := st.record.custom[roleNote]
	switch {
	case note != b.path() && found != nil:
		return v, s.foreignRole(b)
	case note != b.path() && note != "":
		v.elsewhere = true
		v.asked = append(v.asked, gone(r, note), created(r, b.path(), ""))
	case found == nil:
		v.asked = append(v.asked, created(r, b.path(), ""))
		v.left = append(v.left, gone(r, b.path()))
	}
	if found == nil {
		v.asked = append(v.asked, concealed("secret_id", event.ChangeCreate))
		return v, nil
	}
	for _, name := range slices.Sorted(maps.Keys(b.settings)) {
		if is, want := settingText(found.Data[name]), settingText(b.settings[name]); !sameSetting(b.settings[name], found.Data[name]) {
			v.asked = append(v.asked, open(r, name, is, want))
			v.left = append(v.left, open(r, name, want, is))
		}
	}
	return v, s.viewSecretID(ctx, b, st, &v)
}

// viewSecretID adds the secret id, when it is to be replaced or is not known to Vault any more.
func (s session) viewSecretID(ctx context.Context, b appRoleBlock, st stored, v *view) error {
	kept := st.values["secret_id"] != ""
	known, lives := false, false
	var err error
	if kept {
		if known, lives, err = s.lives(ctx, b, st.values["secret_id_accessor"]); err != nil {
			return err
		}
	}
	change, why := event.ChangeUpdate, ""
	switch {
	case !kept:
		change = event.ChangeCreate
	case !known:
		why = ", which Vault does not know any more"
		v.left = append(v.left, concealed("secret_id"+why, event.ChangeDestroy))
	case !lives:
		why = ", which has less than a third of its life left"
	case st.record.custom[rotateNote] != b.rotation():
		why = ", made anew"
	default:
		return nil
	}
	v.asked = append(v.asked, concealed("secret_id"+why, change))
	return nil
}

func (s session) foreignRole(b appRoleBlock) error {
	return fault.New(fault.GiveUp, fault.Exists,
		"the role %q of %s was not made by %s, as far as its store %q tells: take another role_name, or remove that role first",
		b.path(), s.target(), s.r.Step, b.place)
}

func (b appRoleBlock) rotation() string { return fingerprint("rotate", b.Rotate)[:16] }

func settingText(v any) string {
	switch v := v.(type) {
	case []string:
		return strings.Join(v, ", ")
	case []any:
		return strings.Join(stringsOf(v), ", ")
	case nil:
		return ""
	}
	return fmt.Sprint(v)
}
