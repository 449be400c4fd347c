package replication

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/history"
	"github.com/vivarium-env/vivarium/pkg/store"
)

const (
	// pageEntries bounds a page, and with it what one stream holds in memory.
	pageEntries = 256
	// stalled is how long one write may take before a secondary counts as gone; it comes back by itself.
	stalled = 30 * time.Second
)

// Codes of a partition that stops.
const (
	// Diverged: the secondary has entries that the primary does not have, or others.
	Diverged fault.Code = "diverged"
)

// stream is one secondary's.
type stream struct {
	*Source
	ctx     context.Context
	nonce   string
	to      Name
	out     *bufio.Writer
	control *http.ResponseController
	lines   uint64
	at      []uint64 // by partition; what is stopped is not here
	stopped []bool
	beat    time.Time
	members time.Time // when they were told last
}

// stream sends entries as they are written, until the secondary goes or the source leaves. It holds no more than a page in
// memory: what a slow secondary does not take waits in the store.
func (s *Source) stream(w http.ResponseWriter, a *asked) {
	r, err := read[Request](a)
	if err == nil {
		err = errors.Join(s.gives(a.Context()), s.fits(r))
	}
	if err != nil {
		s.answer(w, a, nil, err)
		return
	}
	x := &stream{Source: s, ctx: a.Context(), nonce: a.nonce, to: r.Name, out: bufio.NewWriterSize(w, 64<<10), control: http.NewResponseController(w),
		at: make([]uint64, s.Partitions), stopped: make([]bool, s.Partitions)}
	_ = x.control.SetReadDeadline(time.Time{})
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	defer s.peers.connect(r.Name, a.RemoteAddr, r.Positions)()
	s.Log.Info("a secondary follows", "cluster", r.Cluster, "server", r.Server, "address", a.RemoteAddr)
	err = x.run(r.Positions)
	s.Log.Info("a secondary does not follow any more", "cluster", r.Cluster, "server", r.Server, "reason", err)
}

func (s *Source) fits(r Request) error {
	if len(r.Positions) != s.Partitions {
		return fault.New(fault.Reject, fault.Invalid, "the secondary has %d partitions, and this cluster %d: set partitions to the same on both sides", len(r.Positions), s.Partitions)
	}
	for i, p := range r.Positions {
		if p.Partition != i {
			return fault.New(fault.Reject, fault.Invalid, "position %d is of partition %d", i, p.Partition)
		}
	}
	return nil
}

func (x *stream) run(positions []Position) error {
	me, err := x.Identity(x.ctx)
	if err == nil {
		err = x.line(kindHello, me)
	}
	for _, p := range positions {
		if err == nil {
			err = x.begin(p, me.Heads[p.Partition])
		}
	}
	for err == nil {
		err = x.round()
	}
	return errors.Join(err, x.flush())
}

// begin holds a secondary's position against the journal. It is a beginning of it, or the partition stops.
func (x *stream) begin(p, head Position) error {
	x.at[p.Partition] = p.Seq
	here, err := At(x.ctx, x.Store, p.Partition, p.Seq)
	if err != nil || here.Mark == p.Mark {
		return err
	}
	x.stopped[p.Partition] = true
	reason := fmt.Sprintf("entry %d is another one there than in the primary's journal: the two have parted before it, or it is another cluster's", p.Seq)
	if p.Seq > head.Seq {
		reason = fmt.Sprintf("the secondary has %d entries, and the primary only %d: the primary's store may have been restored from an older backup", p.Seq, head.Seq)
	}
	return x.line(kindStop, Stop{p.Partition, string(Diverged), reason})
}

// errLeft: the source leaves.
var errLeft = errors.New("the source leaves")

// round sends a page of every partition that has one, and waits when none has.
func (x *stream) round() error {
	leaving := false
	select {
	case <-x.leaving:
		leaving = true // what is in the journal is still sent
		if err := x.heads.look(x.ctx); err != nil {
			return err
		}
	default:
	}
	if err := x.gives(x.ctx); err != nil && !leaving {
		return err
	}
	heads, at, changed := x.heads.latest()
	more := false
	for p, h := range heads {
		if x.stopped[p] || x.at[p] >= h.Seq {
			continue
		}
		if err := x.page(p, h.Seq); err != nil {
			return err
		}
		more = true
	}
	if more || leaving || time.Since(x.beat) >= x.Beat {
		if err := x.sendBeat(heads, at, leaving && !more); err != nil {
			return err
		}
	}
	switch {
	case more:
		return nil
	case leaving:
		return errLeft
	}
	return x.wait(changed)
}

func (x *stream) wait(changed <-chan struct{}) error {
	t := time.NewTimer(max(x.Beat-time.Since(x.beat), time.Millisecond))
	defer t.Stop()
	select {
	case <-changed:
	case <-t.C:
	case <-x.leaving:
	case <-x.ctx.Done():
		return x.ctx.Err()
	}
	return nil
}

func (x *stream) sendBeat(heads []store.Head, at time.Time, leaving bool) error {
	b := Beat{Time: at, Epoch: x.Self().Epoch, Leaving: leaving, Heads: make([]uint64, len(heads)), Relayed: make([]uint64, len(heads))}
	for p, h := range heads {
		b.Heads[p], b.Relayed[p] = h.Seq, h.Relayed
	}
	if x.Counted != nil {
		b.Counted = x.Counted(x.to, x.Peers())
	}
	x.beat = time.Now()
	if x.Side != nil && x.beat.Sub(x.members) >= x.Beat {
		b.Members, x.members = x.Side(), x.beat
	}
	if err := x.line(kindBeat, b); err != nil {
		return err
	}
	return x.flush()
}

// page sends the next entries of a partition, at most up to a head, and the states that they name.
func (x *stream) page(partition int, head uint64) error {
	limit := int(min(pageEntries, head-x.at[partition])) //nolint:gosec // at most pageEntries
	entries, err := x.Store.Entries(x.ctx, store.Selection{Partition: partition, After: x.at[partition], Limit: limit})
	if err != nil {
		return err
	}
	if len(entries) == 0 || entries[0].Seq != x.at[partition]+1 {
		return fault.New(fault.GiveUp, fault.Internal, "the journal of partition %d has no entry %d, and its head is %d", partition, x.at[partition]+1, head)
	}
	states, err := x.states(entries)
	if err != nil {
		return err
	}
	x.at[partition] = entries[len(entries)-1].Seq
	return x.line(kindPage+strconv.Itoa(partition), page{entries, states})
}

// states are those that the entries name and that are still the newest. A newer one comes with the entry that names it.
func (x *stream) states(entries []store.Entry) ([]state, error) {
	last := map[[2]string]string{}
	for _, e := range entries {
		if kept := history.Kept(e); kept != nil && kept.Step != "" {
			last[[2]string{kept.Environment, kept.Step}] = kept.Hash
		}
	}
	var found []state
	for at, hash := range last {
		if hash == "" {
			continue // removed
		}
		s, err := x.Store.State(x.ctx, at[0], at[1])
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		if err == nil && s.Hash == hash {
			found = append(found, state{s.Environment, s.Step, s.Hash, s.Data})
		}
	}
	return found, nil
}

// line sends one, signed; it is on its way with the next flush.
func (x *stream) line(kind string, v any) error {
	var made bytes.Buffer
	made.WriteString(kind + " ")
	enc := json.NewEncoder(&made)
	enc.SetEscapeHTML(false) // an entry's data stays as it is kept, or its chain would not hold
	if err := enc.Encode(v); err != nil {
		return err
	}
	text := bytes.TrimSuffix(made.Bytes(), []byte("\n"))
	text = append(append(text, ' '), lineSignature(x.Token, x.nonce, x.lines, text)...)
	x.lines++
	if err := x.control.SetWriteDeadline(time.Now().Add(stalled)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	_, err := x.out.Write(append(text, '\n'))
	return err
}

func (x *stream) flush() error {
	return errors.Join(x.out.Flush(), x.control.Flush())
}
