// Package terraform is the executor of Terraform modules, with OpenTofu or Terraform, whichever is there.
//
// What always holds: the state, the inputs and plans are on no disk in clear (on Linux) and in no argument list; nothing is
// written to the shared bundle; one process does an apply or a destroy where no saved plan was asked for, and no process of
// it outlives the attempt; a plan and a look write nothing; a saved plan is applied as it is or not at all; destroyed means
// that the state has no resource left.
//
// The state is what a request brings and saves; the program gets it from a server on loopback that is the run's alone. The
// exception is errored.tfstate, which the program writes when it can't hand its state in: it is taken over and removed.
//
// terraform-exec finds and asks the program (Version, StatePull) and knows which environment variables are its own.
// It does not run apply and destroy: it would ask for the version in a process of its own each time, takes inputs
// from files only, and waits forever for a provider that holds the output open after the program was killed.
//
// Imports: the port, template, fault, secret, HCL, cty, terraform-config-inspect, -exec and -json, and the helpers in
// executor/internal.
package terraform
