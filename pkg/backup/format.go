package backup

import (
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// Version of the format. A file is gzipped JSON lines, each an object with one field that says what the line is: a header;
// for each partition its entries in order of seq, with states, templates and log lines among them, and its end; a trailer.
const Version = 1

// Header is the first line.
type Header struct {
	Format     int        `json:"format"`
	Cluster    string     `json:"cluster"`
	Partitions int        `json:"partitions"`
	Epoch      uint64     `json:"epoch"`
	Source     store.Info `json:"source"`
	Program    string     `json:"program,omitempty"` // version of what wrote the file
	Time       time.Time  `json:"time"`
}

// End closes a partition. SHA256 is over its entries' lines, each with the one before behind it (a chain).
type End struct {
	Partition int    `json:"partition"`
	Seq       uint64 `json:"seq"`
	Relayed   uint64 `json:"relayed"`
	SHA256    string `json:"sha256"`
}

// Counts of what a file holds.
type Counts struct {
	Entries   uint64 `json:"entries"`
	States    uint64 `json:"states"`
	Templates uint64 `json:"templates"`
	LogLines  uint64 `json:"log_lines"`
	// Missing are states and templates that the journal names and the store had lost.
	Missing uint64 `json:"missing"`
}

// Trailer is the last line. SHA256 is over all bytes before it, unpacked.
type Trailer struct {
	Counts
	SHA256 string `json:"sha256"`
}

// state of a step; without Data the store had lost it.
type state struct {
	Environment string `json:"environment"`
	Step        string `json:"step"`
	Hash        string `json:"hash"`
	Data        []byte `json:"data,omitempty"`
}

// archive is a template; without Record the store had lost it.
type archive struct {
	Hash   string                `json:"hash"`
	Record *store.TemplateRecord `json:"record,omitempty"`
	Data   []byte                `json:"data,omitempty"`
}

// line has exactly one field.
type line struct {
	Header   *Header      `json:"header,omitempty"`
	Entry    *store.Entry `json:"entry,omitempty"`
	State    *state       `json:"state,omitempty"`
	Template *archive     `json:"template,omitempty"`
	Logs     *event.Logs  `json:"logs,omitempty"`
	End      *End         `json:"end,omitempty"`
	Trailer  *Trailer     `json:"trailer,omitempty"`
}

func (l line) fields() (n int) {
	for _, there := range []bool{l.Header != nil, l.Entry != nil, l.State != nil, l.Template != nil, l.Logs != nil, l.End != nil, l.Trailer != nil} {
		if there {
			n++
		}
	}
	return n
}

func (c *Counts) add(l line) {
	switch {
	case l.Entry != nil:
		c.Entries++
	case l.State != nil && len(l.State.Data) == 0, l.Template != nil && l.Template.Record == nil:
		c.Missing++
	case l.State != nil:
		c.States++
	case l.Template != nil:
		c.Templates++
	case l.Logs != nil:
		c.LogLines += uint64(len(l.Logs.Lines))
	}
}

// chain is the checksum of a partition's entries so far.
type chain [32]byte

// Summary is what an export, an import or a verification came to.
type Summary struct {
	Header
	Counts
	SHA256 string `json:"sha256"`
	// Written are the entries that an import wrote; the others were there.
	Written uint64 `json:"written,omitempty"`
}

// Progress is called now and then, with the partition that is worked on and the entries so far. It must not block.
type Progress func(partition int, c Counts)

func (p Progress) tell(partition int, c Counts) {
	if p != nil {
		p(partition, c)
	}
}
