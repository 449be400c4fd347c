package vault

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// place is where a secret lies in a KV version 2 engine.
type place struct{ mount, path string }

func (p place) String() string   { return p.mount + "/" + p.path }
func (p place) data() string     { return p.mount + "/data/" + p.path }
func (p place) metadata() string { return p.mount + "/metadata/" + p.path }

// record is what Vault knows of a secret besides its values.
type record struct {
	exists  bool
	custom  map[string]string // custom metadata
	version int               // the current one, 0 before the first
}

// look reads the metadata of a secret.
func (s session) look(ctx context.Context, p place) (record, error) {
	secret, err := s.get(ctx, "reading the metadata of a secret", p.metadata())
	if err != nil || secret == nil || secret.Data == nil {
		return record{}, err
	}
	r := record{exists: true, custom: map[string]string{}, version: number(secret.Data["current_version"])}
	custom, _ := secret.Data["custom_metadata"].(map[string]any)
	for k, v := range custom {
		r.custom[k], _ = v.(string)
	}
	return r, nil
}

// claim makes the secret ours before anything is written into it; one that is somebody else's is an error.
func (s session) claim(ctx context.Context, p place) (record, error) {
	if err := s.versioned(ctx, p.mount); err != nil {
		return record{}, err
	}
	r, err := s.look(ctx, p)
	if err != nil {
		return r, err
	}
	if r.exists {
		return r, s.ours(p, r)
	}
	if err := s.annotate(ctx, p, map[string]string{mark: s.owner()}); err != nil {
		return r, err
	}
	// Vault has no check-and-set for metadata: whoever wrote last has it, and the other finds out here.
	if r, err = s.look(ctx, p); err != nil {
		return r, err
	}
	return r, s.ours(p, r)
}

func (s session) annotate(ctx context.Context, p place, custom map[string]string) error {
	_, err := s.put(ctx, "marking a secret as the environment's", p.metadata(), map[string]any{"custom_metadata": custom})
	return err
}

// note sets and removes (by "") notes of a secret that is ours, and leaves the others alone.
func (s session) note(ctx context.Context, p place, r record, notes map[string]string) error {
	custom := maps.Clone(r.custom)
	for k, v := range notes {
		if v == "" {
			delete(custom, k)
		} else {
			custom[k] = v
		}
	}
	if maps.Equal(custom, r.custom) {
		return nil
	}
	return s.annotate(ctx, p, custom)
}

// values reads the current version; nil is that there is none, or that it was deleted.
func (s session) values(ctx context.Context, p place) (map[string]any, error) {
	secret, err := s.get(ctx, "reading a secret", p.data())
	if err != nil || secret == nil {
		return nil, err
	}
	values, _ := secret.Data["data"].(map[string]any)
	return values, nil
}

// write makes a new version, on condition that the current one is the one that was looked at.
func (s session) write(ctx context.Context, p place, seen int, values map[string]any) (int, error) {
	secret, err := s.put(ctx, "writing a secret", p.data(), map[string]any{"data": values, "options": map[string]any{"cas": seen}})
	if status(err) == http.StatusBadRequest {
		if r, again := s.look(ctx, p); again == nil && r.version != seen {
			return 0, fault.Wrap(err, fault.Retry, fault.Conflict,
				"somebody wrote the secret %q of %s while %s was at it; it is tried again with what is there now", p, s.target(), s.r.Step)
		}
	}
	if err != nil {
		return 0, err
	}
	if secret == nil {
		return 0, fault.New(fault.Retry, fault.ExecutorFailed, "%s did not say which version of %q it wrote", s.target(), p)
	}
	return number(secret.Data["version"]), nil
}

// remove takes a secret of ours away with all its versions, and sees that it is gone.
func (s session) remove(ctx context.Context, p place) error {
	if err := s.drop(ctx, "removing a secret", p.metadata()); err != nil {
		return err
	}
	r, err := s.look(ctx, p)
	if err == nil && r.exists {
		return fault.New(fault.Retry, fault.OrphanSuspected, "the secret %q was removed from %s, and is there again", p, s.target())
	}
	return err
}

// release removes the secrets at the places as far as they are ours. Before the first success of an apply a secret of
// somebody else may be there: then nothing of ours is.
func (s session) release(ctx context.Context, places []place) error {
	for _, p := range places {
		r, err := s.look(ctx, p)
		if err != nil {
			return err
		}
		if !r.exists {
			continue
		}
		if err := s.ours(p, r); err != nil {
			if s.r.Outputs == nil {
				s.say(fmt.Sprintf("the secret %q belongs to somebody else and stays", p))
				continue
			}
			return err
		}
		if err := s.remove(ctx, p); err != nil {
			return err
		}
		s.say(fmt.Sprintf("removed the secret %q with all its versions", p))
	}
	return nil
}

// versioned sees that the engine at a mount is KV version 2: the same paths mean something else to version 1. Where the
// token may not know, the calls that follow will tell.
func (s session) versioned(ctx context.Context, mount string) error {
	s.mu.Lock()
	known := s.kv[mount]
	s.mu.Unlock()
	if known {
		return nil
	}
	secret, err := s.get(ctx, "looking at the secrets engine", "sys/internal/ui/mounts/"+mount)
	if err != nil && !slices.Contains([]fault.Code{fault.PermissionDenied, fault.NotFound, fault.Invalid}, fault.From(err).Code) {
		return err
	}
	if err != nil || secret == nil {
		return nil
	}
	options, _ := secret.Data["options"].(map[string]any)
	if secret.Data["type"] != "kv" || options["version"] != "2" {
		return fault.New(fault.GiveUp, fault.Invalid, "what %s has at the mount %q is no KV version 2 secrets engine: name the mount of one", s.target(), mount)
	}
	s.mu.Lock()
	s.kv[mount] = true
	s.mu.Unlock()
	return nil
}
