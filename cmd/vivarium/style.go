package main

import (
	"io"
	"strings"
	"unicode"
)

// style wraps text in colours, or leaves it as it is. The zero value leaves it.
type style struct{ colour bool }

// style for a stream: colours only on a terminal that has them and whose user has not said NO_COLOR.
func (c *cli) style(w io.Writer) style {
	return style{colour: c.variables["NO_COLOR"] == "" && c.variables["TERM"] != "dumb" && c.terminal(w)}
}

func (s style) wrap(code, text string) string {
	if !s.colour || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s style) bold(text string) string   { return s.wrap("1", text) }
func (s style) dim(text string) string    { return s.wrap("2", text) }
func (s style) red(text string) string    { return s.wrap("31", text) }
func (s style) green(text string) string  { return s.wrap("32", text) }
func (s style) yellow(text string) string { return s.wrap("33", text) }
func (s style) blue(text string) string   { return s.wrap("34", text) }

// clean takes the control characters out of what somebody else wrote, so that it can't act on the terminal.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t':
			return r
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return -1
		default:
			return r
		}
	}, text)
}

// cut makes one clean line of a text, of at most that many runes.
func cut(text string, width int) string {
	return clip(strings.Join(strings.Fields(clean(text)), " "), width)
}

// clip shortens a line.
func clip(text string, width int) string {
	runes := []rune(text)
	if len(runes) <= width {
		return text
	}
	if width < 2 {
		return ""
	}
	return string(runes[:width-1]) + "…"
}
