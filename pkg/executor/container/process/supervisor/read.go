package supervisor

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Reader reads a folder's log from the beginning, and goes on with what comes. It is not safe for concurrent use.
type Reader struct {
	folder string
	number int
	file   *os.File
	in     *bufio.Reader
	half   string
}

// Read makes the reader; close it. It touches nothing yet.
func Read(folder string) *Reader { return &Reader{folder: filepath.Join(folder, logFolder)} }

// Lines gives the lines that have come since the last call, as they are written: those that the supervisor has not finished
// come with the next call. It ends early when take returns false, and gives the rest then.
func (r *Reader) Lines(take func(at time.Time, stream, line string) bool) error {
	for {
		later := r.later() // before the rest is read: whoever begins a file has ended the one before
		more, err := r.rest(take)
		if err != nil || !more || later == 0 {
			return err
		}
		if err := r.open(later); err != nil {
			return err
		}
	}
}

// later is the file behind the one that is read, 0 for none.
func (r *Reader) later() int {
	for _, n := range logs(r.folder) {
		if n > r.number {
			return n
		}
	}
	return 0
}

func (r *Reader) open(n int) error {
	f, err := os.Open(logName(r.folder, n))
	if errors.Is(err, os.ErrNotExist) {
		r.number = n // it was the oldest, and has just gone
		return nil
	}
	if err != nil {
		return err
	}
	_ = r.Close()
	r.number, r.file, r.in, r.half = n, f, bufio.NewReaderSize(f, 2*lineBytes), ""
	return nil
}

// rest reads the file to its end.
func (r *Reader) rest(take func(time.Time, string, string) bool) (more bool, err error) {
	for r.file != nil {
		text, err := r.in.ReadString('\n')
		r.half += text
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		line := strings.TrimSuffix(r.half, "\n")
		r.half = ""
		stamp, rest, _ := strings.Cut(line, " ")
		stream, said, _ := strings.Cut(rest, " ")
		at, err := time.Parse(timeForm, stamp)
		if err != nil {
			continue // half a line, of a full disk
		}
		if !take(at, stream, said) {
			return false, nil
		}
	}
	return true, nil
}

// Close lets go of the file.
func (r *Reader) Close() error {
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file = nil
	return err
}
