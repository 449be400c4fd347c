// Package plan resolves the templates of one environment, with its parameters, into the nodes that are to be there:
// what each depends on, what it gets as inputs once that is known, and, before anything exists, what is known of it.
//
// What always holds: a plan is immutable and safe for concurrent use; the same request gives the same plan; what is
// not known yet is unknown and never made up; a secret leaves a plan sealed, or not at all; everything that parameters
// can make wrong is found by Resolve, all at once, before anything is applied.
//
// Imports: template, graph, environment, event, fault, secret, HCL and cty.
package plan
