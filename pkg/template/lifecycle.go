package template

// Lifecycle is what a resource is spared, whatever an operation would do to it.
type Lifecycle struct {
	// PreventDestroy: what would destroy or replace it is refused.
	PreventDestroy bool
	// Retain: destroying it forgets it, and leaves it where it is.
	Retain bool
}

func (r *settingReader) lifecycle(s *settings) Lifecycle {
	return Lifecycle{PreventDestroy: r.flag(s.preventDestroy, "prevent_destroy"), Retain: r.flag(s.retain, "retain")}
}
