package helm

import (
	"bytes"
	"io"
)

// hookOutput takes what the pods of a hook print, where the chart asks for that.
func (s *session) hookOutput(_, pod, _ string) io.Writer { return &printed{s: s, pod: pod} }

// printed gives a pod's lines to the log as they are complete. It is used by one goroutine.
type printed struct {
	s    *session
	pod  string
	rest []byte
}

// Write implements io.Writer.
func (p *printed) Write(data []byte) (int, error) {
	p.rest = append(p.rest, data...)
	for {
		line, rest, ok := bytes.Cut(p.rest, []byte("\n"))
		if !ok {
			return len(data), nil
		}
		p.s.say("%s: %s", p.pod, line)
		p.rest = rest
	}
}
