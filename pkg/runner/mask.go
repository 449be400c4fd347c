package runner

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// shortestSecret in bytes: to mask what is shorter would make logs unreadable and hide nothing.
const shortestSecret = 4

// masker finds the secrets of one task in text. It is immutable and safe for concurrent use.
type masker struct{ patterns []pattern }

// pattern is a secret with its failure function (Knuth, Morris and Pratt): how much of a match that breaks off can be
// kept. With it a scan goes on over the ends of lines without keeping them.
type pattern struct {
	text string
	keep []int32
}

// span is a range of bytes, [from, to).
type span struct{ from, to int }

// newMasker takes the secrets in the clear. Each is looked for as it is, line by line, and as JSON writes it.
func newMasker(secrets []string) *masker {
	seen := map[string]bool{}
	m := &masker{}
	for _, s := range secrets {
		for _, form := range forms(s) {
			if len(form) >= shortestSecret && !seen[form] {
				seen[form] = true
				m.patterns = append(m.patterns, pattern{text: form, keep: keep(form)})
			}
		}
	}
	return m
}

// forms are those in which a secret may be printed, cleaned as the lines are that it is looked for in.
func forms(s string) []string {
	if len(s) < shortestSecret {
		return nil
	}
	lines := splitLines(s)
	for i := range lines {
		lines[i] = clean(lines[i])
	}
	all := append([]string{strings.Join(lines, ""), strings.TrimSpace(strings.Join(lines, ""))}, lines...)
	var plain strings.Builder
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(s) == nil {
		all = append(all, strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(plain.String()), `"`), `"`))
	}
	return append(all, strings.Trim(string(encode(s)), `"`))
}

func keep(text string) []int32 {
	table := make([]int32, len(text))
	k := 0
	for i := 1; i < len(text); i++ {
		for k > 0 && text[i] != text[k] {
			k = int(table[k-1])
		}
		if text[i] == text[k] {
			k++
		}
		table[i] = int32(k)
	}
	return table
}

// scan is how far the patterns have matched at the end of what was read.
type scan struct {
	masker *masker
	at     []int // matched bytes of each pattern
	pos    int   // bytes read
}

func (m *masker) scan() *scan { return &scan{masker: m, at: make([]int, len(m.patterns))} }

// read goes over the text and returns the matches that end in it, counted from the beginning of the scan. What
// follows may complete a match that begins at pos-open or later.
func (s *scan) read(text string) (found []span, open int) {
	for i, p := range s.masker.patterns {
		k := s.at[i]
		for j := range len(text) {
			if k == len(p.text) {
				k = int(p.keep[k-1])
			}
			for k > 0 && text[j] != p.text[k] {
				k = int(p.keep[k-1])
			}
			if text[j] == p.text[k] {
				k++
			}
			if k == len(p.text) {
				end := s.pos + j + 1
				found = append(found, span{end - k, end})
			}
		}
		s.at[i] = k
		if k == len(p.text) {
			k = int(p.keep[k-1])
		}
		open = max(open, k)
	}
	s.pos += len(text)
	return found, open
}

// cover replaces the spans, which may overlap, by what stands for a secret.
func cover(text string, spans []span) string {
	if len(spans) == 0 {
		return text
	}
	slices.SortFunc(spans, func(a, b span) int { return a.from - b.from })
	var out strings.Builder
	end := 0
	for i, s := range spans {
		if i == 0 || s.from > end {
			out.WriteString(text[end:s.from])
			out.WriteString(secret.Shown)
		}
		end = max(end, s.to)
	}
	out.WriteString(text[end:])
	return out.String()
}

// text masks and cleans a text that is whole.
func (m *masker) text(s string) string {
	s = clean(s)
	if len(m.patterns) == 0 {
		return s
	}
	// Line breaks are left out of the scan, as they are out of the patterns, and of the positions that it finds.
	lines := splitLines(s)
	scan := m.scan()
	starts := make([]int, len(lines))
	spans := make([][]span, len(lines))
	for i, line := range lines {
		starts[i] = scan.pos
		found, _ := scan.read(line)
		for _, f := range found {
			for k := i; k >= 0 && starts[k]+len(lines[k]) > f.from; k-- {
				spans[k] = appendWithin(spans[k], f, starts[k], len(lines[k]))
			}
		}
	}
	for i, line := range lines {
		lines[i] = cover(line, spans[i])
	}
	return strings.Join(lines, "\n")
}

// appendWithin appends the part of a span that lies within a line.
func appendWithin(spans []span, s span, start, length int) []span {
	from, to := max(s.from-start, 0), min(s.to-start, length)
	if from >= to {
		return spans
	}
	return append(spans, span{from, to})
}

// fault masks all of an error that leaves the runner.
func (m *masker) fault(e *fault.Error) *fault.Error {
	masked := fault.New(e.Disposition, e.Code, "%s", cut(m.text(e.Message)))
	for _, d := range e.Diagnostics {
		d.Summary, d.Detail, d.Snippet, d.File = cut(m.text(d.Summary)), cut(m.text(d.Detail)), cut(m.text(d.Snippet)), m.text(d.File)
		masked = masked.With(d)
	}
	return masked
}
