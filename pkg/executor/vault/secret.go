package vault

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/executor"
)

// generatedNote is the beginning of the notes that say which values were generated, and for which rotation.
const generatedNote = "vivarium_generated."

type secretExecutor struct{ shared }

var _ executor.Targeter = (*secretExecutor)(nil)

// Apply writes the given values and those generated that are missing or were to be rotated; the others stay.
func (e *secretExecutor) Apply(ctx context.Context, r executor.Request) (executor.Outputs, error) {
	s, err := e.begin(ctx, r)
	if err != nil {
		return nil, err
	}
	b, err := decodeSecret(r)
	if err != nil {
		return nil, err
	}
	rec, err := s.claim(ctx, b.place)
	if err != nil {
		return nil, err
	}
	kept, err := s.kept(ctx, b, rec)
	if err != nil {
		return nil, err
	}
	version, values, err := s.keep(ctx, b, rec, kept)
	if err != nil {
		return nil, err
	}
	if before, ok := placeBefore(r, "mount", "path"); ok && before != b.place {
		if err := s.leave(ctx, before); err != nil {
			return nil, err
		}
	}
	return executor.Outputs{
		"mount": output(r, b.place.mount, false), "path": output(r, b.place.path, false),
		"version": output(r, version, false), "data": output(r, values, true),
	}, nil
}

// kept is what there is already: values, and for which rotation each was generated.
type kept struct {
	values map[string]any
	notes  map[string]string
}

// kept reads what is at the place, or, when the secret is new there, at the place where it was before.
func (s session) kept(ctx context.Context, b secretBlock, rec record) (k kept, err error) {
	from, custom := b.place, rec.custom
	if rec.version == 0 {
		before, ok := placeBefore(s.r, "mount", "path")
		if !ok || before == b.place {
			return kept{}, nil
		}
		old, err := s.look(ctx, before)
		if err != nil || !old.exists || s.ours(before, old) != nil {
			return kept{}, err
		}
		from, custom = before, old.custom
	}
	k.values, err = s.values(ctx, from)
	k.notes = custom
	return k, err
}

// keep makes the secret be as the block says, and returns its version and values.
func (s session) keep(ctx context.Context, b secretBlock, rec record, k kept) (int, map[string]any, error) {
	values, fresh := b.values(k)
	version := rec.version
	// Until a note says so, a value does not count as generated: after a crash between the two writes it is made anew.
	if rec.version == 0 || k.values == nil || !maps.Equal(values, k.values) {
		var err error
		if version, err = s.write(ctx, b.place, rec.version, values); err != nil {
			return 0, nil, err
		}
		s.say(fmt.Sprintf("wrote version %d of the secret %q%s", version, b.place, listed("; generated ", fresh)))
	}
	return version, values, s.note(ctx, b.place, rec, b.notes(rec.custom))
}

// values are those that the secret is to have, and the names of those that are new.
func (b secretBlock) values(k kept) (values map[string]any, fresh []string) {
	values = map[string]any{}
	for name, v := range b.Data {
		values[name] = v
	}
	for name, how := range b.recipes {
		old, _ := k.values[name].(string)
		if old != "" && k.notes[generatedNote+name] == how.note() {
			values[name] = old
			continue
		}
		values[name] = how.make()
		fresh = append(fresh, name)
	}
	slices.Sort(fresh)
	return values, fresh
}

// notes are those to set, and to remove of values that are generated no longer.
func (b secretBlock) notes(now map[string]string) map[string]string {
	notes := map[string]string{}
	for key := range now {
		if strings.HasPrefix(key, generatedNote) {
			notes[key] = ""
		}
	}
	for name, how := range b.recipes {
		notes[generatedNote+name] = how.note()
	}
	return notes
}

func (c recipe) note() string { return fingerprint("rotate", c.Rotate)[:16] }

// make draws a value, every character of the alphabet being as likely as every other.
func (c recipe) make() string {
	letters := []rune(c.Alphabet)
	var value strings.Builder
	for range *c.Length {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(letters))))
		if err != nil {
			panic(err) // crypto/rand never fails on supported systems
		}
		value.WriteRune(letters[n.Int64()])
	}
	return value.String()
}

// leave removes the secret that an earlier apply kept at another place.
func (s session) leave(ctx context.Context, before place) error {
	rec, err := s.look(ctx, before)
	if err != nil || !rec.exists || s.ours(before, rec) != nil {
		return err // what somebody else has put there since is not ours to remove
	}
	s.say(fmt.Sprintf("removed the secret from its earlier place %q", before))
	return s.remove(ctx, before)
}

// Destroy removes the secret with all its versions.
func (e *secretExecutor) Destroy(ctx context.Context, r executor.Request) error {
	s, err := e.begin(ctx, r)
	if err != nil {
		return err
	}
	b, err := decodeSecret(r)
	if err != nil {
		return err
	}
	return s.release(ctx, places(r, b.place, "mount", "path"))
}

func listed(prefix string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	return prefix + strings.Join(names, ", ")
}
