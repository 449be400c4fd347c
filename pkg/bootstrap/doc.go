// Package bootstrap is what `vivarium bootstrap` does beside running a template: it fetches the repositories that say what is
// wanted, compiles all templates before anything is changed, remembers in a work folder how far a run came, and hands the
// store of that folder over to the service that was raised.
//
// What always holds: nothing is changed in the world before every template compiles and every definition can be read; a work
// folder belongs to one site, and a run for another is refused; what is handed over is verified by its checksum on both
// sides, is taken by a service that holds nothing, and once; a run that was cut off anywhere goes on where it was.
//
// Imports: backup, event, fault, secret, store, template and the standard library. It starts no server and knows no
// executor: cmd runs the engine.
package bootstrap
