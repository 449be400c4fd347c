// Package graph is a directed acyclic graph over keys of any comparable type: what depends on what, in which order
// things can be done, and, when they can't, which of them wait for each other.
//
// What always holds: every answer is deterministic and follows the order in which nodes and edges were added; an
// edge is counted once, however often it is added; all work is linear in nodes and edges, and no depth of the graph
// exhausts the stack.
//
// Imports: the standard library only.
package graph
