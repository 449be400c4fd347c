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

// discovery is what a server leaves in its data folder (readable by its user only, since the bus URL can hold a token)
// so that commands on the same machine find it.
type discovery struct {
	API     string    `json:"api"`
	APICA   string    `json:"api_ca,omitempty"` // PEM, where it is not the system's
	Bus     string    `json:"bus"`
	BusCA   string    `json:"bus_ca,omitempty"` // PEM, where it is not the system's
	PID     int       `json:"pid"`
	Cluster string    `json:"cluster"`
	Primary bool      `json:"primary"`
	Version string    `json:"version"`
	Started time.Time `json:"started"`
}

const discoveryFile = "server.json"

func writeDiscovery(dir string, d discovery) error {
	data, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	return writePrivate(filepath.Join(dir, discoveryFile), append(data, '\n'))
}

// writePrivate replaces a file as a whole, readable by nobody else. What has to be there after a power failure too is for secret.WriteFile.
func writePrivate(file string, data []byte) error {
	tmp := file + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, file)
}

// readKept reads what was written down as JSON; where nothing was, it leaves into as it is.
func readKept(file string, into any) error {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	return err
}

func removeDiscovery(dir string) error {
	err := os.Remove(filepath.Join(dir, discoveryFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// findServer reads what the server of a data folder has left there. The error says what to start.
func findServer(dir string) (discovery, error) {
	const hint = "start one with `vivarium server --primary`, or name one with --server and --bus"
	var d discovery
	data, err := os.ReadFile(filepath.Join(dir, discoveryFile))
	if errors.Is(err, fs.ErrNotExist) {
		return d, fmt.Errorf("no server runs on the data folder %s; %s", dir, hint)
	}
	if err != nil {
		return d, fmt.Errorf("can't read which server runs on %s: %w", dir, err)
	}
	if err := json.Unmarshal(data, &d); err != nil {
		return d, fmt.Errorf("%s is damaged (%w); restart the server", filepath.Join(dir, discoveryFile), err)
	}
	if !locked(dir) {
		return d, fmt.Errorf("the server that ran on the data folder %s (process %d) is gone; %s", dir, d.PID, hint)
	}
	return d, nil
}
