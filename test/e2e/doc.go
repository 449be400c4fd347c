// Package e2e drives the built program from outside, with a real RabbitMQ and a real OpenTofu, and, for the sample with real
// parts, Consul, Vault, Docker and Traefik: what a publisher, an operator and a reader of the API see.
package e2e
