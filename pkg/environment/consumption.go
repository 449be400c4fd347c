package environment

// Consumption is the use of another environment's output.
type Consumption struct {
	Environment string `json:"environment"`
	Output      string `json:"output"`
	// Resources are the addresses in that environment which the output comes from.
	Resources []string `json:"resources,omitempty"`
}

// Targets are the addresses that its edges lead to: those of the resources, or the empty one, which is the environment's.
func (c Consumption) Targets() []string {
	if len(c.Resources) == 0 {
		return []string{""}
	}
	return c.Resources
}
