package event

// QueueMark is the name of what a server puts into a queue to find out when all that stood before it was seen to.
const QueueMark = "queue.mark"

// Mark is of one server alone; others let it pass.
type Mark struct {
	Server string `json:"server"`
	Number uint64 `json:"number"`
}
