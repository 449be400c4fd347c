// Package cursor makes the opaque positions at which lists go on, for the drivers.
//
// What always holds: a cursor holds the key of the last record that was listed, so it stays right whatever is added, changed
// or removed; it is signed together with the list that it belongs to, so only what a store gave for this very list is taken.
//
// Imports: store and the standard library.
package cursor
