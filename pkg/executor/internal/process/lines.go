package process

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"sync"
	"time"
)

// defaultMaxLine is the longest line in bytes that is handed on in one piece.
const defaultMaxLine = 64 << 10

// reading is what reads a program's output while it runs.
type reading struct {
	pipes []*os.File
	wg    sync.WaitGroup
}

// pipe starts to read lines and returns the end that the program writes to.
func (r *reading) pipe(line func([]byte, bool), size int) (*os.File, error) {
	from, to, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	if size <= 0 {
		size = defaultMaxLine
	}
	r.pipes = append(r.pipes, from)
	r.wg.Go(func() { split(from, size, line) })
	return to, nil
}

// finish waits until all was read, at most for the given time more.
func (r *reading) finish(within time.Duration) {
	for _, p := range r.pipes {
		_ = p.SetReadDeadline(time.Now().Add(within)) // pipes always take one
	}
	r.wg.Wait()
	for _, p := range r.pipes {
		_ = p.Close() // only read from
	}
}

func split(from *os.File, size int, line func([]byte, bool)) {
	in := bufio.NewReaderSize(from, size)
	for {
		// A line longer than the buffer comes as pieces with bufio.ErrBufferFull; every other error is the end.
		text, err := in.ReadSlice('\n')
		more := errors.Is(err, bufio.ErrBufferFull)
		if len(text) > 0 && line != nil {
			if !more {
				text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
			}
			line(text, more)
		}
		if err != nil && !more {
			return
		}
	}
}
