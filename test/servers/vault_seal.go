package servers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

type vaultHealth struct {
	Initialized bool   `json:"initialized"`
	Sealed      bool   `json:"sealed"`
	Version     string `json:"version"`
}

// health is what the server says of itself, whatever its state.
func (v *Vault) health(ctx context.Context) (vaultHealth, error) {
	var h vaultHealth
	return h, v.call(ctx, http.MethodGet, "sys/health?uninitcode=200&sealedcode=200&standbycode=200", nil, &h)
}

// initialise makes one unseal key and the root token, or reads those of the folder when its data has them already.
func (v *Vault) initialise(ctx context.Context) error {
	file := filepath.Join(v.dir, "keys.json")
	h, err := v.health(ctx)
	if err != nil {
		return err
	}
	if h.Initialized {
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("the data in %s is initialised but its keys are gone: %w", v.dir, err)
		}
		return json.Unmarshal(text, &v.keys)
	}
	if err := v.call(ctx, http.MethodPut, "sys/init", map[string]int{"secret_shares": 1, "secret_threshold": 1}, &v.keys); err != nil {
		return err
	}
	text, err := json.Marshal(v.keys)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}

// Seal makes Vault refuse everything until Unseal.
func (v *Vault) Seal(ctx context.Context) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.call(ctx, http.MethodPut, "sys/seal", nil, nil)
}

// Unseal ends Seal, or the sealed state after a start, and returns when Vault takes requests.
func (v *Vault) Unseal(ctx context.Context) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, key := range v.keys.Unseal {
		if err := v.call(ctx, http.MethodPut, "sys/unseal", map[string]string{"key": key}, nil); err != nil {
			return err
		}
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		// Unsealed is not yet ready: the mounts come up a little later, and the token store with them.
		err := v.call(ctx, http.MethodGet, "auth/token/lookup-self", nil, nil)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-v.child.done:
			return errors.New("Vault ended while it was unsealed")
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}

// Enable mounts a secrets engine (kind "mounts") or an authentication method (kind "auth") of a type at a path; kv is
// version 2, and can be used when Enable returns.
func (v *Vault) Enable(ctx context.Context, kind, engine, path string) error {
	body := map[string]any{"type": engine}
	if engine == "kv" {
		body["options"] = map[string]string{"version": "2"}
	}
	if err := v.call(ctx, http.MethodPost, "sys/"+kind+"/"+path, body, nil); err != nil || engine != "kv" {
		return err
	}
	return v.usable(ctx, path)
}

// usable waits until a new KV engine, which upgrades itself to version 2 first, has settings to show.
func (v *Vault) usable(ctx context.Context, mount string) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := v.call(ctx, http.MethodGet, mount+"/config", nil, nil)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}

// call is one request of the API with the root token, once there is one.
func (v *Vault) call(ctx context.Context, method, path string, body, into any) error {
	var text bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&text).Encode(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, v.Address()+"/v1/"+path, &text)
	if err != nil {
		return err
	}
	request.Header.Set("X-Vault-Token", v.keys.Root)
	request.Close = true // no connection stays that a test would have to close
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= http.StatusBadRequest {
		err = fmt.Errorf("%s %s answered %s: %s", method, path, response.Status, answer)
	}
	if err != nil || into == nil {
		return err
	}
	return json.Unmarshal(answer, into)
}
