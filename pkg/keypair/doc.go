// Package keypair is what a listener shows of itself: a certificate and its key in two files, which somebody else renews; and what whoever connects checks
// that with.
//
// What always holds: a pair that is renewed is shown from the next connection on, without a restart; one that can't be read, or whose parts do not fit
// together, as while they are being written, changes nothing.
//
// Imports: fault.
package keypair
