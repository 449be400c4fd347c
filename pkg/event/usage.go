package event

import "time"

// Usage is what a resource uses at a moment.
type Usage struct {
	Time     time.Time      `json:"time"`
	Replicas []ReplicaUsage `json:"replicas"`
}

// ReplicaUsage is what one replica uses.
type ReplicaUsage struct {
	Name string `json:"name"`
	// State in the word of its target: "running", "restarting", "exited".
	State string `json:"state"`
	// CPU in cores, over the last second or so.
	CPU float64 `json:"cpu"`
	// Memory and MemoryLimit in bytes; no limit is 0.
	Memory      int64 `json:"memory"`
	MemoryLimit int64 `json:"memory_limit,omitempty"`
	// NetworkReceived and NetworkSent in bytes since it was started.
	NetworkReceived int64 `json:"network_received"`
	NetworkSent     int64 `json:"network_sent"`
}
