// Package storetest is the contract of the store as tests: every driver passes Run.
//
// What always holds: the tests use nothing but the port, and wait for conditions, never for time to pass.
//
// Imports: store, environment, event, fault, testify and the standard library.
package storetest
