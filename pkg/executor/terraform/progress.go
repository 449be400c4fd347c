package terraform

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// progress follows an apply or destroy in what it says with -json. It belongs to the reader of stdout.
type progress struct {
	tell func(event.Progress) // nil: nobody wants to know
	now  event.Progress
	busy []string // the addresses that are worked on, the last one begun last
}

// said is what counts in a message of the program's machine-readable interface, version 1.
type said struct {
	Type string `json:"type"`
	Hook struct {
		Resource struct {
			Address string `json:"addr"`
		} `json:"resource"`
		Action string `json:"action"`
	} `json:"hook"`
	Changes struct {
		Add       int    `json:"add"`
		Change    int    `json:"change"`
		Remove    int    `json:"remove"`
		Operation string `json:"operation"`
	} `json:"changes"`
}

// hear takes one message.
func (p *progress) hear(line []byte) {
	if p.tell == nil {
		return
	}
	var s said
	if json.Unmarshal(line, &s) != nil {
		return // a message of another shape; its text is in the log
	}
	before := p.now
	switch s.Type {
	case "change_summary":
		// The summary at the end has what was done; a replacement counts as both of its operations in either.
		if s.Changes.Operation == "plan" {
			p.now.Total = s.Changes.Add + s.Changes.Change + s.Changes.Remove
		}
	case "refresh_start", "apply_start":
		p.begin(s.Hook.Resource.Address)
	case "apply_complete":
		if s.Hook.Action != "read" && s.Hook.Action != "noop" {
			p.now.Done++
		}
		p.end(s.Hook.Resource.Address)
	case "refresh_complete", "apply_errored":
		p.end(s.Hook.Resource.Address)
	}
	if p.now != before {
		p.tell(p.now)
	}
}

func (p *progress) begin(address string) {
	p.busy = append(p.busy, address)
	p.show()
}

func (p *progress) end(address string) {
	if i := slices.Index(p.busy, address); i >= 0 {
		p.busy = slices.Delete(p.busy, i, i+1)
	}
	p.show()
}

// show names what was begun last of all that is under way. When nothing is, the last one stays.
func (p *progress) show() {
	switch n := len(p.busy); n {
	case 0:
	case 1:
		p.now.Message = p.busy[0]
	default:
		p.now.Message = fmt.Sprintf("%s (and %d more)", p.busy[n-1], n-1)
	}
}
