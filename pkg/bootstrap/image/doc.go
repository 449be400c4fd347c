// Package image makes an image of the service out of its program, without a daemon, a network or anything beside: one layer, with nothing in it but
// static programs and the folders that they write to, run as nobody in particular. It is put into a Docker, a registry or a file.
//
// What always holds: the same programs and version give the same image with the same name, so what has it already is given nothing; what is too large to be held
// in memory, as a program is, is read again whenever it is needed. An Image is safe for concurrent use.
//
// Imports: fault, go-containerregistry, and Docker's client.
package image
