package wire

import "github.com/vivarium-env/vivarium/pkg/store"

// Impact is what breaks if something goes.
type Impact struct {
	Of store.Ref `json:"of"`
	// Resources counts what stands on it.
	Resources    int                 `json:"resources"`
	Environments []EnvironmentImpact `json:"environments"`
	// Truncated: there is more than is listed.
	Truncated bool `json:"truncated,omitempty"`
}

// EnvironmentImpact is what of one environment breaks, nearest first.
type EnvironmentImpact struct {
	Environment string         `json:"environment"`
	Resources   []store.Vertex `json:"resources"`
}
