// Package servers gives tests, demonstrations and the Makefile the real programs that they talk to: a private
// RabbitMQ, Docker, Consul, Vault, Traefik and Kubernetes; OpenTofu and the last four are built from their pinned Go modules.
//
// What always holds: a server listens on loopback ports of its own and keeps its data in the folder it was given;
// it ends when the process that started it ends, however that ends (on Linux); nothing is fetched except from the Go module
// proxy and, by root on Debian, the package archive, and that is said before it is done.
//
// Imports: the standard library, the AMQP and Docker clients (to see whether they answer) and goleak. It is used by tests
// and by cmd/servers only.
package servers
