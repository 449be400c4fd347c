package environment

// PlansLapsed: the time in which these plans could be carried out is up.
type PlansLapsed struct {
	Plans []string `json:"plans"` // operations
}

// Type is the fact's name.
func (PlansLapsed) Type() string { return "plan.lapsed" }
