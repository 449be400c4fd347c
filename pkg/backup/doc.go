// Package backup moves what a store holds through one file: out of it while servers go on writing, into another store of any
// driver, and makes the projection anew from the journal.
//
// What always holds: a file has a consistent cut of each partition, with the states and templates that its entries name;
// nothing is written into a store before the whole file was read and found whole; the projection and the snapshots are not
// in the file, since the journal tells them. What is sealed in the store stays sealed in the file, and the key is not in it.
//
// Imports: environment, event, fault, history, store and the standard library.
package backup
