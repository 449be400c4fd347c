// Package secret keeps values that nobody may read out of everything that is stored or shown.
//
// A secret value is a JSON leaf {"$sealed": "..."}: AES-256-GCM under the cluster's key. Sealed leaves may be
// journalled, published in tasks and kept in the store; opened ones live only in the memory of the process that
// is about to use them. Show replaces sealed leaves by "(sensitive)" wherever a person or an API client looks.
//
// What always holds: Seal never returns the plain text in any form; Open fails on anything altered; a key that was made or kept (WriteFile)
// is on the disk.
//
// Imports: the standard library and golang.org/x/crypto only.
package secret
