package environment

// StateHashes are the hashes of what is kept for executors, by the step's address.
func (s *State) StateHashes() map[string]string {
	hashes := map[string]string{}
	for _, n := range s.real() {
		if n.StateHash != "" {
			hashes[n.Address] = n.StateHash
		}
	}
	return hashes
}
