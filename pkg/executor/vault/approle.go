package vault

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

const (
	// roleNote says in the store which role is ours: a role itself has no room for a mark.
	roleNote   = "vivarium_role"
	rotateNote = "vivarium_rotate"
)

type appRoleExecutor struct{ shared }

var _ executor.Targeter = (*appRoleExecutor)(nil)

func (b appRoleBlock) path() string { return "auth/" + b.Mount + "/role/" + b.RoleName }

// Apply makes the role and keeps one secret id for it, which is replaced when it is gone, asked to be rotated, or has
// less than a third of its life left.
func (e *appRoleExecutor) Apply(ctx context.Context, r executor.Request) (executor.Outputs, error) {
	s, err := e.begin(ctx, r)
	if err != nil {
		return nil, err
	}
	b, err := decodeAppRole(r)
	if err != nil {
		return nil, err
	}
	st, err := s.open(ctx, b.place)
	if err != nil {
		return nil, err
	}
	if err := s.role(ctx, b, &st); err != nil {
		return nil, err
	}
	if err := s.secretID(ctx, b, &st); err != nil {
		return nil, err
	}
	if err := s.forget(ctx, b.place); err != nil {
		return nil, err
	}
	return putStore(r, executor.Outputs{
		"mount": output(r, b.Mount, false), "role_name": output(r, b.RoleName, false),
		"role_id": output(r, st.values["role_id"], false), "secret_id": output(r, st.values["secret_id"], true),
	}, b.place), nil
}

// role makes the role be as the block says, and no other be ours.
func (s session) role(ctx context.Context, b appRoleBlock, st *stored) error {
	found, err := s.get(ctx, "reading a role", b.path())
	if err != nil {
		return err
	}
	if st.record.custom[roleNote] != b.path() {
		if found != nil {
			return s.foreignRole(b)
		}
		if err := s.dropRole(ctx, st.record.custom[roleNote]); err != nil {
			return err
		}
		// Noted before it is made, so that a role is ours from its first moment.
		if err := s.annotateStore(ctx, st, map[string]string{roleNote: b.path()}); err != nil {
			return err
		}
	}
	if found != nil && same(b.settings, found.Data) {
		return nil
	}
	if _, err = s.put(ctx, "writing a role", b.path(), b.settings); err == nil {
		s.say(fmt.Sprintf("wrote the role %q", b.path()))
	}
	return err
}

// secretID keeps the secret id of the store, or puts a new one there.
func (s session) secretID(ctx context.Context, b appRoleBlock, st *stored) error {
	id, err := s.get(ctx, "reading the id of a role", b.path()+"/role-id")
	if err != nil {
		return err
	}
	if id == nil {
		return fault.New(fault.Retry, fault.Conflict, "the role %q of %s was removed while %s was at it; it is tried again", b.path(), s.target(), s.r.Step)
	}
	roleID, _ := id.Data["role_id"].(string)
	rotate := b.rotation()
	good := st.values["secret_id"] != "" && st.values["role_id"] == roleID && st.record.custom[rotateNote] == rotate
	if good {
		if _, good, err = s.lives(ctx, b, st.values["secret_id_accessor"]); err != nil {
			return err
		}
	}
	if good {
		return s.save(ctx, st, st.values, nil) // writes what was carried over from another place, and nothing otherwise
	}
	return s.newSecretID(ctx, b, st, roleID, rotate)
}

func (s session) newSecretID(ctx context.Context, b appRoleBlock, st *stored, roleID, rotate string) error {
	fresh, err := s.put(ctx, "making a secret id", b.path()+"/secret-id", nil)
	if err != nil {
		return err
	}
	if fresh == nil {
		return fault.New(fault.Retry, fault.ExecutorFailed, "%s made no secret id for the role %q", s.target(), b.path())
	}
	values := map[string]string{"role_id": roleID}
	values["secret_id"], _ = fresh.Data["secret_id"].(string)
	values["secret_id_accessor"], _ = fresh.Data["secret_id_accessor"].(string)
	if err := s.save(ctx, st, values, map[string]string{rotateNote: rotate}); err != nil {
		return err
	}
	s.say(fmt.Sprintf("made a secret id for the role %q", b.path()))
	return s.retire(ctx, b, values["secret_id_accessor"])
}

// retire takes back every secret id of the role but one: the one before, and those of attempts that were cut off before they
// could keep theirs.
func (s session) retire(ctx context.Context, b appRoleBlock, but string) error {
	all, err := s.call(ctx, operation{method: "LIST", path: b.path() + "/secret-id", what: "listing the secret ids of a role", need: "list"})
	if err != nil || all == nil {
		return err
	}
	for _, accessor := range stringsOf(all.Data["keys"]) {
		if accessor == but {
			continue
		}
		_, err := s.put(ctx, "taking back a secret id", b.path()+"/secret-id-accessor/destroy", map[string]any{"secret_id_accessor": accessor})
		if err != nil && status(err) != http.StatusNotFound {
			return err
		}
	}
	return nil
}

// lives tells whether Vault knows the secret id, and whether it has a third of its life left.
func (s session) lives(ctx context.Context, b appRoleBlock, accessor string) (known, lives bool, err error) {
	found, err := s.put(ctx, "looking up a secret id", b.path()+"/secret-id-accessor/lookup", map[string]any{"secret_id_accessor": accessor})
	if status(err) == http.StatusNotFound {
		return false, false, nil
	}
	if err != nil || found == nil {
		return false, false, err
	}
	made, err1 := time.Parse(time.RFC3339, fmt.Sprint(found.Data["creation_time"]))
	ends, err2 := time.Parse(time.RFC3339, fmt.Sprint(found.Data["expiration_time"]))
	if err1 != nil || err2 != nil || !ends.After(made) {
		return true, true, nil // it lives for ever
	}
	return true, s.o.Now().Before(ends.Add(-ends.Sub(made) / 3)), nil
}

// dropRole removes a role that is ours and sees that it is gone; "" is none.
func (s session) dropRole(ctx context.Context, path string) error {
	if path == "" {
		return nil
	}
	if err := s.drop(ctx, "removing a role", path); err != nil {
		return err
	}
	found, err := s.get(ctx, "reading a role", path)
	if err == nil && found != nil {
		return fault.New(fault.Retry, fault.OrphanSuspected, "the role %q was removed from %s, and is there again", path, s.target())
	}
	return err
}

// Destroy removes the role, with it its secret ids, and then the store, which says whose the role is.
func (e *appRoleExecutor) Destroy(ctx context.Context, r executor.Request) error {
	s, err := e.begin(ctx, r)
	if err != nil {
		return err
	}
	b, err := decodeAppRole(r)
	if err != nil {
		return err
	}
	at := storePlaces(r, b.place)
	for _, p := range at {
		rec, err := s.look(ctx, p)
		if err != nil {
			return err
		}
		if rec.exists && s.ours(p, rec) == nil {
			if err := s.dropRole(ctx, rec.custom[roleNote]); err != nil {
				return err
			}
		}
	}
	return s.release(ctx, at)
}
