package backup

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"io"
)

// writer writes lines, counts them and sums them up.
type writer struct {
	zip    *gzip.Writer
	sum    hash.Hash
	counts Counts
	chain  chain
	text   bytes.Buffer
}

func newWriter(w io.Writer) *writer { return &writer{zip: gzip.NewWriter(w), sum: sha256.New()} }

func (w *writer) write(l line) error {
	w.text.Reset()
	enc := json.NewEncoder(&w.text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(l); err != nil {
		return err
	}
	w.sum.Write(w.text.Bytes())
	w.counts.add(l)
	if l.Entry != nil {
		w.chain = w.chain.next(w.text.Bytes())
	}
	_, err := w.zip.Write(w.text.Bytes())
	return err
}

// end closes a partition.
func (w *writer) end(e End) error {
	e.SHA256 = hex.EncodeToString(w.chain[:])
	w.chain = chain{}
	return w.write(line{End: &e})
}

// close writes the trailer, and gives the checksum in it.
func (w *writer) close() (string, error) {
	sum := hex.EncodeToString(w.sum.Sum(nil))
	if err := w.write(line{Trailer: &Trailer{Counts: w.counts, SHA256: sum}}); err != nil {
		return "", err
	}
	return sum, w.zip.Close()
}

func (c chain) next(text []byte) chain { return sha256.Sum256(append(c[:], text...)) }
