// Package template turns HCL files into a compiled, immutable template, and finds templates in a catalogue.
//
// What always holds: every error that can be found without a side effect is found at compile time, several at a
// time, each with file, line and snippet; a compiled template is immutable and safe for concurrent use; nothing
// outside of the template's folder is read.
//
// Imports: graph, fault, environment and event for their plain types, HCL and cty.
package template
