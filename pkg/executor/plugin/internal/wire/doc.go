// Package wire is the protocol between the program and its plugins, generated from schemas/executor.proto.
//
// What always holds: the code is what the .proto says (a test compares the checksum that was recorded when it was made); nobody
// edits it by hand. It is used by pkg/executor/plugin alone.
//
// Imports: protobuf and gRPC.
package wire
