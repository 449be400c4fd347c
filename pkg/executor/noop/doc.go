// Package noop is the executor that does nothing, at once and inside the process: what an environment costs without
// the work in it, for benches, and templates to try the language with.
//
// What always holds: no goroutine, no file, no other process.
//
// Imports: the port, template, fault, HCL and cty.
package noop
