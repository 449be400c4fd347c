// Package drawtest builds the program that draws, for tests.
//
// Imports: the standard library and testify.
package drawtest
