package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// roleFile says what a takeover has made of this side. While it is there, --primary does not count.
const roleFile = "role.json"

// role is what a side has become.
type role struct {
	Primary bool      `json:"primary"`
	Epoch   uint64    `json:"epoch"`
	Since   time.Time `json:"since"`
	Why     string    `json:"why"`
	// OfferFrom is when nothing of the other side is being done any more.
	OfferFrom time.Time `json:"offer_from,omitzero"`
	// Other is an address of the other side, besides those that are configured.
	Other string `json:"other,omitempty"`
	// HandOver: this side has stepped down, and what was sent to it meanwhile is for the other one.
	HandOver bool `json:"hand_over,omitempty"`
}

// readRole is nil where no takeover has made this side anything.
func readRole(dir string) (*role, error) {
	data, err := os.ReadFile(filepath.Join(dir, roleFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // nothing to say
	}
	if err != nil {
		return nil, err
	}
	r := &role{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("%s is damaged (%w): look which side acts (vivarium cluster status), and remove it", filepath.Join(dir, roleFile), err)
	}
	return r, nil
}

func writeRole(dir string, r role) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return writePrivate(filepath.Join(dir, roleFile), append(data, '\n'))
}
