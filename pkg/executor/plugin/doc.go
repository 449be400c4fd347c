// Package plugin runs executors that are programs of their own: Serve is what such a program calls, Load what a runner and a
// server do with it. The protocol is schemas/executor.proto over hashicorp/go-plugin, so any language with gRPC will do.
//
// What always holds: a plugin is an executor like any other, with the same contract; secrets go over its private socket
// (TLS with keys made for this start alone) and neither by its environment nor by its arguments; the end of a plugin, its
// silence and its refusal are faults of the task at hand, and the next task finds it started again; a plugin does not outlive
// its runner; a file that is not the one whose checksum is known is not run.
//
// Imports: the port (executor) and what it is made of, hashicorp/go-plugin, gRPC, HCL and cty.
package plugin

//go:generate go -C ../../../.ci/protobuf run .
