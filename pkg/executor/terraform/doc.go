// Package terraform is the executor of Terraform modules, with OpenTofu or Terraform, whichever is there.
//
// What always holds: the state is on disk sealed with the cluster's key and nowhere in clear; the inputs are on no
// disk at all (on Linux) and in no argument list; nothing is written to the shared bundle; one process does an apply
// or a destroy, and no process of it outlives the attempt; an attempt that is older than the one that holds the state
// can't write it; destroyed means that the state has no resource left.
//
// terraform-exec finds and asks the program (Version, StatePull) and knows which environment variables are its own.
// It does not run apply and destroy: it would ask for the version in a process of its own each time, takes inputs
// from files only, and waits forever for a provider that holds the output open after the program was killed.
//
// Imports: the port, template, fault, secret, HCL, cty, terraform-config-inspect, -exec and -json, and the helpers in
// executor/internal.
package terraform
