// Package e2e drives the built program from outside, with a real RabbitMQ and a real OpenTofu: what a publisher, an
// operator and a reader of the API see.
package e2e
