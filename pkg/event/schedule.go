package event

import "time"

// Schedule is the data of environment.schedule: what is done with the environment by itself, and when. It may be sent at any
// time. At most one of DestroyAt, Lifetime and Extend is given; with none of them, and neither Hours nor Drift, the
// environment is not destroyed by itself any more.
type Schedule struct {
	// DestroyAt is when it is destroyed for good.
	DestroyAt *time.Time `json:"destroy_at"`
	// Lifetime, such as "72h", says the same from now on; "0s" is for ever.
	Lifetime string `json:"lifetime,omitempty"`
	// Extend, such as "24h", moves what was settled.
	Extend string `json:"extend,omitempty"`
	// Hours are when it is taken down and made again; those without any time take back what was settled, by the templates too.
	Hours *Hours `json:"hours,omitempty"`
	// Drift is how it is looked after; left out, as it was.
	Drift *DriftPolicy `json:"drift,omitempty"`
}

// Hours are times that come again and again, as cron has them ("0 8 * * 1-5": minute, hour, day of month, month, day of week).
type Hours struct {
	// Up is when the environment is made again, after Down had destroyed it; without Up it is destroyed for good.
	Up   string `json:"up,omitempty"`
	Down string `json:"down,omitempty"`
	// Check is when its resources are looked at, as environment.check does.
	Check string `json:"check,omitempty"`
	// Timezone of the times, such as Europe/Berlin; UTC unless given.
	Timezone string `json:"timezone,omitempty"`
}

// None tells whether there is no time.
func (h *Hours) None() bool { return h == nil || (h.Up == "" && h.Down == "" && h.Check == "") }

// DriftPolicy is how often resources are looked at without anybody asking, and what is done with what is found.
type DriftPolicy struct {
	// Interval in which each resource is looked at once, such as "1h"; "0s" is never. Left out, the server's.
	Interval string `json:"interval,omitempty"`
	// Policy is "report" (left out, that) or "heal".
	Policy string `json:"policy,omitempty" jsonschema:"enum=,enum=report,enum=heal"`
}

// What may be done with what has drifted.
const (
	DriftReport = "report"
	DriftHeal   = "heal"
)
