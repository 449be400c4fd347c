package event

import "time"

// QueueMark is the name of what a server puts into a queue to find out when all that stood before it was seen to.
const QueueMark = "queue.mark"

// Mark is of one server alone; others let it pass, or, in a queue that several read, take it for their own where it is of later than they
// began.
type Mark struct {
	Server string    `json:"server"`
	Number uint64    `json:"number"`
	Time   time.Time `json:"time,omitzero"`
}
