// Package config is the settings of a server and a runner, and where each of them came from.
//
// What always holds: Load is a pure function over a file's text, the environment variables and the flags; flags win
// over variables, variables over the file, the file over the defaults. Every mistake is reported, all at a time, with
// its file and line or with the name of its variable or flag; a value that may hold a secret is never repeated.
//
// Imports: fault, hcl and cty. Only cmd reads files, variables and flags and passes them in.
package config
