// Package schemas holds what publishers and subscribers write their programs against: a JSON Schema each message on the
// bus (events, commands, the answer, what server and runners say to each other, and what servers signal), the AsyncAPI document of the bus
// and the OpenAPI document of the API. They are generated from the Go types and embedded here.
//
// What always holds: the files are what the code says (a test generates them again and compares); Validate knows every
// type that has a file.
//
// Imports: event, fault and a JSON Schema validator.
package schemas
