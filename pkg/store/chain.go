package store

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// Link is the checksum of a partition's journal up to and with an entry: SHA-256, in hexadecimal, over the chain of the entry
// before and all of this one but its own Chain. Before is empty for a partition's first entry, and where the entry before has
// none. Two journals with the same chain at a place are the same up to there. Data counts byte by byte, as drivers keep it.
func Link(before string, e Entry) string {
	h := sha256.New()
	at := int64(0)
	if !e.Time.IsZero() {
		at = e.Time.UnixNano()
	}
	var numbers [32]byte
	for i, n := range []uint64{uint64(e.Partition), e.Seq, uint64(at), e.Epoch} { //nolint:gosec // any 64 bits will do
		binary.BigEndian.PutUint64(numbers[8*i:], n)
	}
	h.Write(numbers[:])
	for _, text := range []string{before, e.Environment, e.Type, e.Operation, e.Causation, e.TraceParent} {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(text)))
		h.Write(size[:])
		h.Write([]byte(text))
	}
	h.Write(e.Data)
	return hex.EncodeToString(h.Sum(nil))
}

// Chain gives each entry its Chain, the first behind one whose chain is before.
func Chain(before string, entries []Entry) {
	for i := range entries {
		entries[i].Chain = Link(before, entries[i])
		before = entries[i].Chain
	}
}

// Mark tells an entry from any other of its place: its chain, or else, where it was written before there were chains, a
// checksum of it alone.
func Mark(e Entry) string {
	if e.Chain != "" {
		return e.Chain
	}
	return "alone:" + Link("", e)
}
