package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// prove asks everybody who had a part of the environment.
func (w *Walk) prove(ctx context.Context) error {
	for _, p := range []struct {
		said string
		do   func(context.Context) error
	}{
		{"Docker: no container, network or volume", w.noThings},
		{"Consul: no key below environments/" + name, w.noKeys},
		{"Vault: no secret below environments/" + name + ", nor its history", w.noSecret},
		{"Traefik: " + host + " is 404", w.noRoute},
		{"Runner: no Terraform state", w.noState},
		{"Server: destroyed, and its password is still in no file", w.noEnvironment},
	} {
		if err := p.do(ctx); err != nil {
			return err
		}
		w.line("%s", p.said)
	}
	return nil
}

func (w *Walk) noThings(ctx context.Context) error {
	all, err := w.stack.things(ctx)
	if err != nil {
		return err
	}
	if len(all) > 0 {
		return fmt.Errorf("Docker still has %s", strings.Join(all, ", "))
	}
	return nil
}

func (w *Walk) noKeys(ctx context.Context) error {
	address := "http://" + w.stack.Consul.Address() + "/v1/kv/environments/?keys"
	status, body, err := ask(ctx, request{Method: http.MethodGet, URL: address})
	if err == nil && status != http.StatusNotFound {
		err = fmt.Errorf("Consul answers %d: %s", status, body)
	}
	return err
}

func (w *Walk) noSecret(ctx context.Context) error {
	address := w.stack.Vault.Address() + "/v1/secret/metadata/environments?list=true"
	status, body, err := ask(ctx, request{Method: http.MethodGet, URL: address, Token: w.stack.Vault.RootToken()})
	if err == nil && status != http.StatusNotFound {
		err = fmt.Errorf("Vault answers %d: %s", status, body)
	}
	return err
}

func (w *Walk) noRoute(ctx context.Context) error {
	for _, path := range []string{"/", "/api/notes"} {
		err := until(ctx, settle, func() error {
			_, err := w.through(ctx, path, http.StatusNotFound)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// noState: no state is among the runner's files. OpenTofu's note of where states are kept has the same name as one, but no
// resources.
func (w *Walk) noState(context.Context) error {
	return filepath.WalkDir(w.vivarium.work, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || !strings.Contains(path[len(w.vivarium.work):], "state") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var state struct{ Resources []json.RawMessage }
		if json.Unmarshal(text, &state) != nil || len(state.Resources) > 0 {
			return fmt.Errorf("the runner still has the state %s", path)
		}
		return nil
	})
}

// noEnvironment looks at the files once more when nobody writes to them any more.
func (w *Walk) noEnvironment(ctx context.Context) error {
	var shown struct{ Status string }
	if err := get(ctx, request{URL: w.vivarium.API + "/environments/" + name}, &shown); err != nil {
		return err
	}
	if shown.Status != "destroyed" {
		return fmt.Errorf("the environment is %s", shown.Status)
	}
	if err := w.vivarium.Stop(ctx); err != nil {
		return err
	}
	s, err := NewSeeker(w.password)
	if err != nil {
		return err
	}
	for _, dir := range []string{w.vivarium.data, w.vivarium.work, w.vivarium.logs()} {
		if err := s.Folder(dir); err != nil {
			return err
		}
	}
	if len(s.Found) > 0 {
		return fmt.Errorf("the password is in %s", strings.Join(s.Found, ", "))
	}
	return nil
}
