package faults

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

// entry is a journal entry as the API shows it, with what the checks read of its data.
type entry struct {
	Seq       uint64
	Type      string
	Time      time.Time
	Operation string
	Data      fact
}

// fact is the union of the fields of facts.
type fact struct {
	Operation  string
	Step       string
	Attempt    int
	Verb       string
	Cause      string
	Runner     string
	Kind       string
	Status     string
	Steps      json.RawMessage
	FinishedAt time.Time `json:"finished_at"`
	Outputs    json.RawMessage
	Error      *struct{ Code, Message string }
}

// effect is one line of the ledger: an attempt of a step began, or came to its end.
type effect struct {
	End         bool
	Cut         bool // it was stopped before that
	Environment string
	Operation   string
	Step        string
	Attempt     int // 0 when the command could not know it
	PID         int
	At          time.Time
}

// readLedger reads the effects of one environment; none is no error.
func readLedger(file string) ([]effect, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	var effects []effect
	for lines := bufio.NewScanner(f); lines.Scan(); {
		e, err := parseEffect(lines.Text())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		effects = append(effects, e)
	}
	return effects, nil
}

func parseEffect(line string) (effect, error) {
	var e effect
	var what string
	var at int64
	if n, err := fmt.Sscan(line, &what, &e.Environment, &e.Operation, &e.Step, &e.Attempt, &e.PID, &at); err != nil || n != 7 {
		return e, fmt.Errorf("not a line of the ledger: %q", line)
	}
	e.End, e.Cut, e.At = what == "end", what == "cut", time.Unix(0, at)
	return e, nil
}

// leavesEffects tells the steps that write to the ledger from those that do nothing.
func leavesEffects(step string) bool {
	return strings.Contains(step, ".action.") || strings.Contains(step, ".terraform.")
}

// key is a step within an operation.
type key struct{ operation, step string }
