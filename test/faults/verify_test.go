package faults

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// journal reads all of an environment's journal.
func (c *cluster) journal(name string) ([]entry, error) {
	var all []entry
	after := uint64(0)
	for {
		var page struct {
			Items []entry
			Next  string
		}
		if err := c.get(fmt.Sprintf("environments/%s/journal?limit=500&after=%d", name, after), &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if page.Next == "" || len(page.Items) == 0 {
			return all, nil
		}
		after = all[len(all)-1].Seq
	}
}

// proof is how the checks of verify are set.
type proof struct {
	overlap time.Duration
	effects func(name string) ([]effect, error) // nil: the ledger files
}

// verify holds everything that happened against the ledger, and fills in the row. It fails the test when something is
// wrong, and writes the journals of what is into the folder that is kept.
func (c *cluster) verify(r *row, p proof) {
	c.t.Helper()
	if p.effects == nil {
		p.effects = func(name string) ([]effect, error) { return readLedger(filepath.Join(c.ledger, name)) }
	}
	var all findings
	for _, name := range c.names {
		found, err := c.examine(name, p)
		if err != nil {
			c.t.Errorf("%s: %v", name, err)
			continue
		}
		all.add(found)
		if found.bad() {
			c.keepJournal(name)
		}
	}
	r.operations, r.steps = int(c.count.Load()), all.Steps
	r.lost, r.doubled, r.odds = len(all.Lost), len(all.Doubled), len(all.Untrue)
	if all.bad() {
		c.t.Errorf("%s", &all)
	}
}

func (c *cluster) examine(name string, p proof) (findings, error) {
	journal, err := c.journal(name)
	if err != nil {
		return findings{}, err
	}
	effects, err := p.effects(name)
	if err != nil {
		return findings{}, err
	}
	return check(history{Name: name, Want: c.want[name], Status: c.status(name), Nodes: shapes[c.made[name]].steps,
		Destroy: shapes[c.made[name]].destroy, Journal: journal, Effects: effects, Overlap: p.overlap}), nil
}

func (c *cluster) keepJournal(name string) {
	var page json.RawMessage
	if err := c.get("environments/"+name+"/journal?limit=1000", &page); err == nil {
		_ = os.WriteFile(filepath.Join(c.dir, "journal-"+name+".json"), page, 0o600)
	}
}
