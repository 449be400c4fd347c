package stack

import (
	"context"
	"net/http"
)

// approle is how the runner logs in to Vault.
type approle struct{ id, secret string }

// policy of the runner: what it needs for the environments' secrets, and nothing else.
const policy = `
path "secret/data/environments/*"     { capabilities = ["create", "read", "update", "delete"] }
path "secret/metadata/environments/*" { capabilities = ["create", "read", "update", "delete", "list"] }
`

// prepareVault makes an engine for secrets, and a role for the runner.
func (s *Stack) prepareVault(ctx context.Context) error {
	if err := s.Vault.Enable(ctx, "mounts", "kv", "secret"); err != nil {
		return err
	}
	if err := s.Vault.Enable(ctx, "auth", "approle", "approle"); err != nil {
		return err
	}
	type object = map[string]any
	if err := s.asRoot(ctx, http.MethodPut, "sys/policies/acl/runner", object{"policy": policy}, nil); err != nil {
		return err
	}
	if err := s.asRoot(ctx, http.MethodPost, "auth/approle/role/runner", object{"token_policies": "runner", "token_ttl": "1h"}, nil); err != nil {
		return err
	}
	var id struct {
		Data struct {
			RoleID string `json:"role_id"`
		}
	}
	if err := s.asRoot(ctx, http.MethodGet, "auth/approle/role/runner/role-id", nil, &id); err != nil {
		return err
	}
	var secret struct {
		Data struct {
			SecretID string `json:"secret_id"`
		}
	}
	err := s.asRoot(ctx, http.MethodPost, "auth/approle/role/runner/secret-id", nil, &secret)
	s.role = approle{id: id.Data.RoleID, secret: secret.Data.SecretID}
	return err
}

func (s *Stack) asRoot(ctx context.Context, method, path string, body, into any) error {
	return get(ctx, request{Method: method, URL: s.Vault.Address() + "/v1/" + path, Token: s.Vault.RootToken(), Body: body}, into)
}
