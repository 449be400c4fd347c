// Package impact says what an edited template would change in every live environment that is made from it, before it is
// released: each is resolved anew with the parameters that were given to it, and held against what it was given last.
//
// What always holds: nothing is written, journalled or asked of an executor; a few environments are in memory at a time, whoever
// asks and however many there are; what was not looked at is said; what a secret is, is not told.
//
// Imports: bundle, environment, event, fault, history, plan, secret, store, template and the standard library.
package impact
