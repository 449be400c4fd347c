// Package signal has a server say on its bus who it is and how far, again and again, and hear what the others say there.
//
// What always holds: a signal is worth nothing later, so none is kept or repeated; nothing that has to be right depends on one having
// come: who hears none finds out more slowly, from the store or the other side.
//
// It may import the ports bus and service, and event.
package signal
