// Package ports finds free TCP ports for what tests start.
//
// What always holds: they are below those that the kernel gives to outgoing connections (from 32768 on Linux), one of which any
// program may take before the one that the port is for listens on it.
//
// Imports: the standard library.
package ports
