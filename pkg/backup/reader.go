package backup

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Damaged is the code of a file that is cut off, altered, or none of ours.
const Damaged fault.Code = "damaged"

// maxLine bounds a line in memory: the largest template or state, in base64, several times over.
const maxLine = 128 << 20

// reader reads lines and holds them against what the format promises.
type reader struct {
	in     *bufio.Reader
	sum    hash.Hash
	number int
	text   []byte

	header  *Header
	counts  Counts
	chain   chain
	part    int    // the partition that is read
	seq     uint64 // its last entry
	trailer *Trailer
}

// magic is how Go's gzip begins a file. What unpacking does not look at has to be as it was written, too.
var magic = []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}

// read visits every line after it was checked. Nothing of the whole is certain before it returns without an error; an error
// says where and what.
func read(from io.Reader, visit func(line) error) (Summary, error) {
	packed := bufio.NewReader(from)
	if begin, err := packed.Peek(len(magic)); err != nil || !bytes.Equal(begin, magic) {
		return Summary{}, fault.Wrap(err, fault.Reject, Damaged, "this is no file of `vivarium store export`: it does not begin like one")
	}
	zip, err := gzip.NewReader(packed)
	if err != nil {
		return Summary{}, fault.Wrap(err, fault.Reject, Damaged, "this is no file of `vivarium store export`")
	}
	r := &reader{in: bufio.NewReaderSize(zip, 1<<20), sum: sha256.New()}
	for r.trailer == nil {
		l, err := r.next()
		if err != nil {
			return Summary{}, err
		}
		if err := visit(l); err != nil {
			return Summary{}, err
		}
	}
	if err := r.over(); err != nil {
		return Summary{}, err
	}
	return Summary{Header: *r.header, Counts: r.counts, SHA256: r.trailer.SHA256}, nil
}

func (r *reader) damaged(cause error, format string, arguments ...any) error {
	where := fault.New(fault.Reject, Damaged, format, arguments...)
	return fault.Wrap(cause, fault.Reject, Damaged, "line %d of the file: %s", r.number, where.Message)
}

// over makes sure that nothing stands behind the trailer, by which the packed file's own checksum is read as well.
func (r *reader) over() error {
	r.number++
	_, err := r.in.ReadByte()
	if err == nil {
		return r.damaged(nil, "there is more behind the end")
	}
	if !errors.Is(err, io.EOF) {
		return r.damaged(err, "the end of the file is altered or cut off")
	}
	return nil
}

func (r *reader) next() (l line, err error) {
	r.number++
	if err := r.readLine(); err != nil {
		return l, err
	}
	dec := json.NewDecoder(bytes.NewReader(r.text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&l); err != nil || l.fields() != 1 {
		return l, r.damaged(err, "it is not of this format; a newer version may have written it")
	}
	if err := r.check(l); err != nil {
		return l, err
	}
	r.sum.Write(r.text)
	r.counts.add(l)
	return l, nil
}

func (r *reader) readLine() error {
	r.text = r.text[:0]
	for {
		part, err := r.in.ReadSlice('\n')
		r.text = append(r.text, part...)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, bufio.ErrBufferFull) && len(r.text) < maxLine:
		case errors.Is(err, bufio.ErrBufferFull):
			return r.damaged(nil, "it is longer than any that was ever written")
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return r.damaged(err, "the file is cut off here")
		default:
			return r.damaged(err, "the file is altered here")
		}
	}
}

// check holds a line against those before it.
func (r *reader) check(l line) error {
	if (r.header == nil) != (l.Header != nil) {
		return r.damaged(nil, "a header has to be the first line, and no other")
	}
	switch {
	case l.Header != nil:
		return r.begin(l.Header)
	case l.Entry != nil:
		return r.entry(l)
	case l.End != nil:
		return r.end(*l.End)
	case l.Trailer != nil:
		return r.last(l.Trailer)
	}
	return nil
}

func (r *reader) begin(h *Header) error {
	if h.Format != Version {
		return r.damaged(nil, "the format is %d, and this version reads %d only", h.Format, Version)
	}
	if h.Partitions < 1 {
		return r.damaged(nil, "it says that there are %d partitions", h.Partitions)
	}
	r.header = h
	return nil
}

func (r *reader) entry(l line) error {
	e := l.Entry
	if e.Partition != r.part || e.Seq != r.seq+1 {
		return r.damaged(nil, "entry %d of partition %d stands where entry %d of partition %d has to be", e.Seq, e.Partition, r.seq+1, r.part)
	}
	r.seq, r.chain = e.Seq, r.chain.next(r.text)
	return nil
}

func (r *reader) end(e End) error {
	if e.Partition != r.part || e.Seq != r.seq || e.Relayed > e.Seq {
		return r.damaged(nil, "partition %d ends at entry %d, and the file has %d of partition %d", e.Partition, e.Seq, r.seq, r.part)
	}
	if e.SHA256 != hex.EncodeToString(r.chain[:]) {
		return r.damaged(nil, "the entries of partition %d have another checksum than they were written with", e.Partition)
	}
	r.part, r.seq, r.chain = r.part+1, 0, chain{}
	return nil
}

func (r *reader) last(t *Trailer) error {
	if r.part != r.header.Partitions || r.seq != 0 {
		return r.damaged(nil, "it ends after %d of %d partitions", r.part, r.header.Partitions)
	}
	if t.Counts != r.counts {
		return r.damaged(nil, "it counts %+v, and there are %+v", t.Counts, r.counts)
	}
	if t.SHA256 != hex.EncodeToString(r.sum.Sum(nil)) {
		return r.damaged(nil, "the file has another checksum than it was written with")
	}
	r.trailer = t
	return nil
}
