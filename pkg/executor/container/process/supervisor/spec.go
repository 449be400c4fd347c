package supervisor

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"
)

// Mark is the name of the variable by which what a program has started is known; its value is Spec.ID.
const Mark = "VIVARIUM_REPLICA"

// When a program that has ended is started again.
const (
	Always    = "always"
	OnFailure = "on-failure"
	Never     = "no"
)

// Spec is what a supervisor is told. It may hold secrets.
type Spec struct {
	// ID is unique among all supervisors of the machine.
	ID string `json:"id"`
	// Path is the program; Args include its own name.
	Path string   `json:"path"`
	Args []string `json:"args"`
	Dir  string   `json:"dir"`
	// Env is all that the program gets besides the mark.
	Env  []string `json:"env"`
	User *User    `json:"user,omitempty"`
	// Restart is Always, OnFailure or Never.
	Restart string `json:"restart"`
	// StopTimeout is how long the program has to end by itself once it was asked to.
	StopTimeout time.Duration `json:"stop_timeout"`
}

// User is who the program runs as, where that is not who runs the supervisor.
type User struct {
	UID    uint32   `json:"uid"`
	GID    uint32   `json:"gid"`
	Groups []uint32 `json:"groups,omitempty"`
}

// Phase is where a program stands.
type Phase string

// Phases. In Held and Exited nothing runs; with Exited the supervisor ends too.
const (
	Starting   Phase = "starting"
	Running    Phase = "running"
	Restarting Phase = "restarting"
	Held       Phase = "held"
	Exited     Phase = "exited"
)

// State is what a supervisor says of its program. It counts only while the supervisor lives, Exited aside.
type State struct {
	Phase      Phase    `json:"phase"`
	Supervisor Identity `json:"supervisor"`
	// Program is the last that was started.
	Program Identity `json:"program"`
	// Started is when that was.
	Started time.Time `json:"started,omitzero"`
	// Restarts counts how often it was started again.
	Restarts int `json:"restarts"`
	// ExitCode is that of the last end: 128 and the signal's number where a signal ended it.
	ExitCode int `json:"exit_code"`
	// Problem is why it could not be started the last time, "" when it could.
	Problem string `json:"problem,omitempty"`
}

// Names in a supervisor's folder.
const (
	stateFile = "state.json"
	lockFile  = "lock"
	logFolder = "log"
)

// Look reads the state that a folder's supervisor has left there last; the zero State is of none. alive tells whether there is a
// supervisor now.
func Look(folder string) (s State, alive bool, err error) {
	alive, err = locked(filepath.Join(folder, lockFile))
	if err != nil {
		return s, false, err
	}
	text, err := os.ReadFile(filepath.Join(folder, stateFile))
	if os.IsNotExist(err) {
		return s, alive, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	return s, alive, err
}

// save writes the state so that readers see the old or the new one.
func (s State) save(folder string) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	fresh := filepath.Join(folder, stateFile+".new")
	if err := os.WriteFile(fresh, text, 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, filepath.Join(folder, stateFile))
}
