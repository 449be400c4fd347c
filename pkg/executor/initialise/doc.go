// Package initialise makes the servers that Vivarium itself stands on ready for it: the kinds consul_cluster, vault_cluster
// and rabbitmq_cluster, for a Consul, a Vault and a RabbitMQ that run and hold nothing yet, vault_rabbitmq, by which that Vault issues
// credentials of that RabbitMQ, vault_certificate, by which its authority issues certificates for them, arangodb_database, a database of an
// ArangoDB and its user, and derived_secret, from which their passwords and tokens come.
//
// What always holds: an apply that was cut off anywhere goes on with what it finds; a server that somebody else has
// initialised is refused before anything is changed; what is made carries the mark of its environment and step, and
// nothing without it is touched; a secret is in no log line, no error's message and no output that is not marked sensitive.
// Vault's unseal keys and root token are in no output at all: they are with Keys, in memory and where the operator said.
//
// What these kinds make lies within the servers, and goes with their storage. So a destroy takes away what it can reach,
// and a server that does not answer, or is sealed for good, keeps nobody from destroying the container that it runs in.
//
// Imports: the executor port, template (for the schema), environment, event, fault, resilience, secret, and the clients of the servers.
package initialise
