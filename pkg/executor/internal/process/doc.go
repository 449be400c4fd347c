// Package process runs the programs that executors start, so that none outlives its attempt.
//
// What always holds: a program runs in a process group of its own and, on Linux, dies with the runner; when Run
// returns, the whole group is gone; a context's end interrupts the program and kills it after the grace period; what
// a runner that was killed left behind is ended by EndLeftovers before the next attempt starts.
//
// Imports: the standard library only.
package process
