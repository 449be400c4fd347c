package api

import (
	"regexp"
	"strings"
)

// route is one row of the table that makes the handlers and the document.
type route struct {
	id          string // operationId of the document
	path        string // with parameters as {name}
	tag         string
	summary     string
	description string
	query       []parameter
	headers     []parameter
	answers     []answer
	// live routes may stream instead of answering; see call.streams.
	live   bool
	handle func(*Server, *call) error
	// asks is what the body of a POST is, which changes nothing: a question that does not fit into an address; "" takes none.
	asks string
	// offered are its offers, found once.
	offered []string
}

// kind of a parameter's value.
type kind int

const (
	textValue kind = iota
	numberValue
	flagValue     // given without a value, or true or false
	positionValue // id of an event of a stream of lines
	timeValue     // RFC 3339
)

// parameter of a query, or a header. Every check of its value follows from its fields.
type parameter struct {
	name        string
	description string
	kind        kind
	min, max    uint64   // of numbers; max 0 is unbounded
	absent      uint64   // the number taken when it is not given
	enum        []string // the only values
	initial     string   // the value taken of an enum when none is given
	many        bool     // may be repeated
	commas      bool     // values may be separated by commas, too
}

// answer of a route. Body is a value of the type that is sent, nil for text.
type answer struct {
	status      int
	mime        string
	description string
	body        any
	headers     map[string]string // name to description
}

var braces = regexp.MustCompile(`\{(\w+)\}`)

// echoPath is the path in echo's notation.
func echoPath(path string) string { return braces.ReplaceAllString(path, ":$1") }

// pathParameters are the names in braces, in order.
func pathParameters(path string) []string {
	var names []string
	for _, found := range braces.FindAllStringSubmatch(path, -1) {
		names = append(names, found[1])
	}
	return names
}

// allows says in words what values a parameter takes.
func (p parameter) allows() string {
	switch {
	case len(p.enum) > 0:
		return strings.Join(p.enum, ", ")
	case p.kind == flagValue:
		return "true, false"
	case p.kind == numberValue:
		return bounds(p.min, p.max)
	case p.kind == positionValue:
		return "the id of an event of this stream"
	case p.kind == timeValue:
		return "a time in RFC 3339, such as 2026-03-01T12:00:00Z"
	default:
		return "text of at most 1024 bytes"
	}
}
