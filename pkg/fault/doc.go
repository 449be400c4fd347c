// Package fault is the one error type of Vivarium: a stable code, a message that is safe to show to
// anybody, and a disposition that says what is to be done about it.
//
// What always holds: the disposition alone chooses between retry, wait, give up and reject; nobody
// classifies an error by searching its message. A message never carries a secret; the cause may, and is
// therefore for logs of the process that met it only.
//
// Imports: the standard library only.
package fault
