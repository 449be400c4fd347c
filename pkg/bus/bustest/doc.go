// Package bustest is the contract of package bus as a test suite: every driver passes it, on a real broker that the
// suite stops, kills, and cuts connections to.
//
// What always holds: a test depends on no other; what it waits for it waits for as a condition, for at most a minute.
//
// Imports: bus, fault, testify and the standard library.
package bustest
