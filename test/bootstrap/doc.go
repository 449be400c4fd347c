// Package bootstrap raises a Vivarium that manages itself, with the real program on a real RabbitMQ, Consul and Vault, from
// configuration repositories that are made for it: `make bootstrap-demo`, and the test that kills it again and again.
package bootstrap
