package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// lineBytes bounds a line of the program's; what is longer comes in pieces.
	lineBytes = 16 << 10
	// logBytes is how large a file of the log gets, and logFiles how many there are.
	logBytes = 4 << 20
	logFiles = 4
)

// logbook is what a program prints, in numbered files, of which the oldest go: a line is a time, "out" or "err", and what was
// printed. No two lines have the same time. What can't be written is left out, and that is said, since nobody shall have to wait for a
// full disk. It is safe for concurrent use.
type logbook struct {
	folder string

	mu     sync.Mutex
	file   *os.File
	number int
	size   int64
	last   time.Time
	lost   int
}

func openLog(folder string) (*logbook, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	l := &logbook{folder: folder}
	if all := logs(folder); len(all) > 0 {
		l.number = all[len(all)-1]
	}
	return l, l.next()
}

// next begins another file.
func (l *logbook) next() error {
	l.close()
	l.number, l.size = l.number+1, 0
	f, err := os.OpenFile(l.name(l.number), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	l.file = f
	if all := logs(l.folder); len(all) > logFiles {
		for _, n := range all[:len(all)-logFiles] {
			_ = os.Remove(l.name(n)) // the next file tries again
		}
	}
	return nil
}

func (l *logbook) close() {
	if l.file != nil {
		_ = l.file.Close()
	}
	l.file = nil
}

func (l *logbook) name(n int) string { return logName(l.folder, n) }

func logName(folder string, n int) string { return filepath.Join(folder, fmt.Sprintf("%08d", n)) }

// logs are the numbers of the files, in order.
func logs(folder string) (numbers []int) {
	entries, _ := os.ReadDir(folder) // none is none
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers
}

func (l *logbook) add(stream string, text []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost > 0 && l.write("err", fmt.Sprintf("(%d lines are left out here: they could not be written)", l.lost)) {
		l.lost = 0
	}
	if l.lost > 0 || !l.write(stream, string(text)) {
		l.lost++
	}
}

func (l *logbook) write(stream, text string) bool {
	if l.size >= logBytes || l.file == nil {
		if l.next() != nil {
			return false
		}
	}
	at := time.Now().UTC()
	if !at.After(l.last) {
		at = l.last.Add(1)
	}
	line := at.Format(timeForm) + " " + stream + " " + strings.ReplaceAll(text, "\n", " ") + "\n"
	n, err := l.file.WriteString(line)
	l.size += int64(n)
	if err != nil && n > 0 {
		_, _ = l.file.WriteString("\n") // half a line ends here
	}
	l.last = at
	return err == nil
}

// timeForm is of fixed length, so that lines are in the order of their texts.
const timeForm = "2006-01-02T15:04:05.000000000Z07:00"
