// Package watch is what the drivers keep of a journal in memory: who wants to know that it goes on, and how far it is published.
//
// What always holds: everything in it is safe for concurrent use, and nobody waits in it for anybody.
//
// Imports: the standard library.
package watch
