// Package template turns HCL files into a compiled, immutable template, and finds templates in a catalogue.
//
// What always holds: every error that can be found without a side effect is found at compile time, several at a
// time, each with file, line and snippet; a compiled template is immutable and safe for concurrent use; nothing
// outside of the template's folder is read.
//
// What an expression means is in the package lang below this one; what an environment makes of a template is in plan.
//
// Imports: graph, bundle, fault, secret, environment and event for their plain types, HCL and cty.
package template
