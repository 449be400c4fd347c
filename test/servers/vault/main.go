// The Vault that the tests run: the minimal one, with the rabbitmq secrets engine, without the two dozen that nobody here uses.
package main

import (
	"os"

	"github.com/hashicorp/cli"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/audit"
	"github.com/hashicorp/vault/builtin/logical/rabbitmq"
	"github.com/hashicorp/vault/builtin/plugin"
	"github.com/hashicorp/vault/command"
	"github.com/hashicorp/vault/physical/raft"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical"
)

func main() {
	if len(os.Args) < 2 || os.Args[1] != "server" {
		os.Exit(command.Run(os.Args[1:]))
	}
	os.Exit(server().Run(os.Args[2:]))
}

// server is Vault's own, told of one engine more.
func server() *command.ServerCommand {
	return &command.ServerCommand{
		BaseCommand:        &command.BaseCommand{UI: &cli.BasicUi{Reader: os.Stdin, Writer: os.Stdout}},
		AuditBackends:      map[string]audit.Factory{"file": audit.NewFileBackend},
		CredentialBackends: map[string]logical.Factory{"plugin": plugin.Factory},
		LogicalBackends:    map[string]logical.Factory{"plugin": plugin.Factory, "kv": kv.Factory, "rabbitmq": rabbitmq.Factory},
		PhysicalBackends:   map[string]physical.Factory{"raft": raft.NewRaftBackend},
		ShutdownCh:         command.MakeShutdownCh(),
		SighupCh:           command.MakeSighupCh(),
		SigUSR2Ch:          command.MakeSigUSR2Ch(),
	}
}
