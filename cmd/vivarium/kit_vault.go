package main

import (
	"context"
	"log/slog"

	"github.com/vivarium-env/vivarium/pkg/executor/vault"
	"github.com/vivarium-env/vivarium/pkg/runner"
	"github.com/vivarium-env/vivarium/pkg/service"
)

// vaultOptions reads the variables that Vault's own tools read, and those of a login. ok is false where none says which
// Vault it is: then this runner leaves its kinds to others.
func vaultOptions(variables map[string]string, log *slog.Logger) (o vault.Options, ok bool) {
	o = vault.Options{Address: variables["VAULT_ADDR"], Namespace: variables["VAULT_NAMESPACE"], Token: variables["VAULT_TOKEN"],
		CAFile: variables["VAULT_CACERT"], Log: log}
	if role := variables["VAULT_ROLE_ID"]; role != "" {
		o.AppRole = &vault.AppRole{RoleID: role, SecretID: variables["VAULT_SECRET_ID"], Mount: variables["VAULT_APPROLE_MOUNT"]}
	}
	if role := variables["VAULT_KUBERNETES_ROLE"]; role != "" {
		o.Kubernetes = &vault.Kubernetes{Role: role, Mount: variables["VAULT_KUBERNETES_MOUNT"]}
	}
	return o, o.Address != ""
}

// serving is a runner with what has to run beside it.
func (k *kit) serving(r *runner.Runner) service.Service {
	group := []service.Member{{Name: "plugins", Service: part{func(context.Context) error { return nil }, k.endPlugins}}}
	if k.vault != nil {
		group = append(group, service.Member{Name: "vault", Service: k.vault})
	}
	return service.NewGroup(append(group, service.Member{Name: "runner", Service: r})...)
}
