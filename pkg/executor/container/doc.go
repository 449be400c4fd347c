// Package container is the block of the resource "container", which several targets carry out: its schema, what is wrong
// with it, whose a container is, and what it puts out. The targets are its sub-packages, docker, kubernetes and process; a runner
// has one of them.
//
// What always holds: the block means the same on every target; what a target could not do is refused and never left out
// silently; whose a container is can be told by its labels alone; no secret is in a label or a name, not even as a hash
// that could be guessed at.
//
// Imports: the executor port, template (for the schema), event, fault and secret. No I/O.
package container
