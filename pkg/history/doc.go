// Package history reads what was: an environment as it stood at an earlier time, folded from the journal by the domain's own
// Evolve, and the whole projection anew.
//
// What always holds: it reads the journal only, and writes nothing; an environment folded up to its last entry is what the
// projection shows of it.
//
// Imports: environment, fault, store and the standard library.
package history
