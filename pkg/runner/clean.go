package runner

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// cleaner takes out of a stream of lines what a terminal would obey instead of show: escape sequences, control
// characters other than the tab, and marks that turn the direction of writing. Invalid UTF-8 becomes U+FFFD. A
// sequence or a character that continues on the next line, because whoever printed it cut in the wrong place, is
// taken for the one it is. The zero value is ready.
type cleaner struct {
	state escape
	rest  string // the beginning of a character
}

type escape int

const (
	plain   escape = iota
	escaped        // behind ESC
	control        // within a control sequence (CSI)
	text           // within a string (OSC, DCS, ...), which ends with BEL or ESC \
	textEnd        // behind ESC within a string
)

// line cleans one line, which has no line break.
func (c *cleaner) line(s string) string {
	if c.rest == "" && c.state == plain && harmless(s) {
		return s
	}
	s, c.rest = c.rest+s, ""
	var out strings.Builder
	out.Grow(len(s))
	for i := 0; i < len(s); {
		if !utf8.FullRuneInString(s[i:]) {
			c.rest = s[i:]
			break
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		if c.shows(r) {
			out.WriteRune(r) // utf8.RuneError for what is invalid
		}
	}
	if c.state == text || c.state == textEnd {
		c.state = plain // or one that never ends would swallow all that follows
	}
	return out.String()
}

// shows takes one character further and tells whether it is to be seen.
func (c *cleaner) shows(r rune) bool {
	switch c.state {
	case escaped:
		c.state = afterEscape(r)
	case control:
		if r >= 0x40 && r <= 0x7e || r >= 0x80 {
			c.state = plain
		}
	case text:
		if r == 0x07 || r == 0x9c {
			c.state = plain
		} else if r == 0x1b {
			c.state = textEnd
		}
	case textEnd:
		c.state = plain
		if r != '\\' {
			c.state = afterEscape(r)
		}
	default:
		return c.plain(r)
	}
	return false
}

func afterEscape(r rune) escape {
	switch {
	case r == '[':
		return control
	case strings.ContainsRune("]PX^_", r):
		return text
	case r >= 0x20 && r <= 0x2f || r == 0x1b: // intermediate; its end is still to come
		return escaped
	default:
		return plain
	}
}

func (c *cleaner) plain(r rune) bool {
	switch {
	case r == 0x1b:
		c.state = escaped
	case r == 0x9b:
		c.state = control
	case r == 0x9d || r == 0x90 || r == 0x98 || r == 0x9e || r == 0x9f:
		c.state = text
	}
	return !hidden(r)
}

func hidden(r rune) bool {
	return r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029')
}

// harmless is the fast way through for the most common line.
func harmless(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 && s[i] != '\t' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// clean is that of a whole text, whose line breaks stay.
func clean(s string) string {
	lines := splitLines(s)
	for i, line := range lines {
		lines[i] = (&cleaner{}).line(line)
	}
	return strings.Join(lines, "\n")
}

var breaks = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// splitLines also splits where a progress bar returned to the beginning of its line.
func splitLines(s string) []string {
	if !strings.ContainsAny(s, "\r\n") {
		return []string{s}
	}
	return strings.Split(breaks.Replace(s), "\n")
}
