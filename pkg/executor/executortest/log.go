package executortest

import (
	"strings"
	"sync"
)

// Log collects lines, from several goroutines. The zero value is empty.
type Log struct {
	mu    sync.Mutex
	lines []string
}

// Add takes a line, as executor.Request.Log does.
func (l *Log) Add(_, line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
}

// Take returns the lines so far and forgets them.
func (l *Log) Take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	l.lines = nil
	return lines
}

// Has tells whether some line contains the text.
func (l *Log) Has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		if strings.Contains(line, text) {
			return true
		}
	}
	return false
}
