// Package schema reflects JSON Schemas (2020-12) from the Go types that travel: one way for the API's document and
// for the files below schemas/.
//
// What always holds: one Go type has one name, and no name stands for two types; descriptions are the comments of
// the Go code, kept in comments.json, which the generator of schemas/ rewrites and checks.
//
// Imports: environment and event for their lists of values, invopop/jsonschema and the standard library.
package schema
