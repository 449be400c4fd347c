package terraform

import (
	"fmt"
	"path"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	tfjson "github.com/hashicorp/terraform-json"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// maxMessage is the longest line in bytes that is read as one message: the outputs are one.
const maxMessage = 4 << 20

// strayLimit is how much of what is no message goes into an error.
const strayLimit = 1000

// messages takes what apply and destroy say with -json: lines for people to the log, errors for the fault.
type messages struct {
	run      *run
	errors   []tfjson.Diagnostic // written by the reader of stdout, read when it has ended
	progress progress
	stray    *plain
}

func (m *messages) out(line []byte, _ bool) {
	message, err := tfjson.UnmarshalLogMessage(line)
	if err != nil {
		m.err(line, false) // a provider or a crash writes past the program's own output
		return
	}
	switch message := message.(type) {
	case tfjson.VersionLogMessage:
	case tfjson.DiagnosticLogMessage:
		m.diagnose(message.Diagnostic)
	default:
		m.progress.hear(line)
		m.run.log("out", message.Message())
	}
}

func (m *messages) err(line []byte, more bool) { m.stray.err(line, more) }

func (m *messages) diagnose(d tfjson.Diagnostic) {
	stream := "out"
	if d.Severity == tfjson.DiagnosticSeverityError {
		stream = "err"
		m.errors = append(m.errors, d)
	}
	shown := m.diagnostic(d)
	m.run.log(stream, fmt.Sprintf("%s: %s", shown.Severity, line(shown)))
}

// diagnostic is one of the program's in the form of all others. Files are named by their place in the template; the
// one with the inputs is not shown, since it has all their values in one line.
func (m *messages) diagnostic(d tfjson.Diagnostic) fault.Diagnostic {
	r := m.run.request
	shown := fault.Diagnostic{Severity: string(d.Severity), Summary: r.Mask(d.Summary), Detail: r.Mask(strings.TrimSpace(d.Detail))}
	inModule := d.Range != nil && path.Base(d.Range.Filename) != variablesFile
	if inModule {
		shown.File, shown.Line, shown.Column = path.Join(m.run.place, d.Range.Filename), d.Range.Start.Line, d.Range.Start.Column
	}
	if inModule && d.Snippet != nil {
		shown.Snippet = r.Mask(d.Snippet.Code)
	}
	if d.Address != "" {
		shown.Summary = d.Address + ": " + shown.Summary
	}
	return shown
}

// summary is the first of several errors, and how many there are besides.
func summary(found []fault.Diagnostic) string {
	text := line(found[0])
	if len(found) > 1 {
		text += fmt.Sprintf(" (and %d more)", len(found)-1)
	}
	return text
}

func line(d fault.Diagnostic) string {
	text := d.Summary
	if d.Detail != "" {
		text += ": " + strings.Join(strings.Fields(d.Detail), " ")
	}
	if d.File != "" {
		text += fmt.Sprintf(" (%s:%d)", d.File, d.Line)
	}
	return text
}

// diagnostics are those of a module that was read in a folder of the bundle and has its source in the template.
func diagnostics(diags hcl.Diagnostics, sub, source string) []fault.Diagnostic {
	var found []fault.Diagnostic
	for _, d := range diags {
		shown := fault.Diagnostic{Severity: "error", Summary: d.Summary, Detail: d.Detail}
		if d.Severity == hcl.DiagWarning {
			shown.Severity = "warning"
		}
		if d.Subject != nil {
			shown.File = path.Join(source, strings.TrimPrefix(d.Subject.Filename, sub+"/"))
			shown.Line, shown.Column = d.Subject.Start.Line, d.Subject.Start.Column
		}
		found = append(found, shown)
	}
	return found
}

// log hands on the lines of a text.
func (run *run) log(stream, text string) {
	for l := range strings.Lines(strings.Trim(text, "\n")) {
		run.request.Log(stream, run.request.Mask(strings.TrimRight(l, "\r\n")))
	}
}

// plain takes lines that are meant for people, and keeps what was said on stderr for an error. Safe for concurrent use.
type plain struct {
	run  *run
	mu   sync.Mutex
	said strings.Builder
}

func (p *plain) out(line []byte, _ bool) { p.run.log("out", string(line)) }

func (p *plain) err(line []byte, _ bool) {
	p.run.log("err", string(line))
	p.mu.Lock()
	defer p.mu.Unlock()
	if text := strings.TrimSpace(string(line)); text != "" && p.said.Len() < strayLimit {
		p.said.WriteString(strings.ToValidUTF8(text, "\uFFFD") + " ")
	}
}

// text is the beginning of what was said on stderr.
func (p *plain) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.TrimSpace(p.said.String())
}

func (p *plain) message() string {
	if text := p.text(); text != "" {
		return text
	}
	return "it said nothing; the program has crashed or was killed"
}
