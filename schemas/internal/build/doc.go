// Package build makes the documents below schemas/ from the Go types.
//
// What always holds: the same code gives the same bytes; a document refers to schemas only by files that are made, too.
//
// Imports: api (for its document and its reflector), bus (names), environment, event.
package build
