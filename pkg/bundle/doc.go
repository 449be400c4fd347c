// Package bundle packs the files that an executor works on into something that fits into a message, and unpacks it
// where the executor runs.
//
// What always holds: packing the same files gives the same bytes; the hash depends on names, modes and contents
// only; nothing is written, and nothing is shown, of a bundle whose content is not what its hash says; an unpacked
// folder is complete or not there; no name in a bundle leads out of its folder.
//
// Imports: event, fault and the standard library only.
package bundle
