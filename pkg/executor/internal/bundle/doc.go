// Package bundle finds and copies the files of a template that travel with a task.
//
// The compiler names one folder, the bundle, and the runner hands that folder over without saying where in the
// template it stood. The functions here choose the folder so that a path of the template is found again in it.
//
// What always holds: a path that leaves the template's folder, by dots or by a symbolic link, is refused; what
// Root chose, Locate finds again; a bundle is never written to.
//
// Imports: the standard library only.
package bundle
