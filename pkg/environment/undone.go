package environment

// Undone is what a destroy was that has failed.
type Undone struct {
	Force bool `json:",omitempty"`
	Hours bool `json:",omitempty"`
}

// undone is what a retry goes on with, although something may have looked at the environment since; nil where nothing is.
func (s *State) undone() *Undone {
	switch o := s.Operation; {
	case o == nil:
		return nil
	case o.Kind == DestroyOperation && (o.Force || o.Hours):
		return &Undone{Force: o.Force, Hours: o.Hours}
	default:
		return o.Undone
	}
}

func (u *Undone) forced() bool  { return u != nil && u.Force }
func (u *Undone) byHours() bool { return u != nil && u.Hours }
