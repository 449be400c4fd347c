package process

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/executor/container/internal/replicas"
	"github.com/vivarium-env/vivarium/pkg/executor/container/process/supervisor"
)

// record says whose a replica is and what it was made of. It holds no secret, and is written before anything else.
type record struct {
	// ID is that of its supervisor.
	ID string `json:"id"`
	// Labels are the template's, and those that say whose it is.
	Labels  map[string]string `json:"labels"`
	Program string            `json:"program"`
	ImageID string            `json:"image_id"`
	Made    time.Time         `json:"made"`
	// Flat is what it was made of, by path; of what is in Hidden there are keyed hashes.
	Flat        map[string]string `json:"flat"`
	Hidden      []string          `json:"hidden,omitempty"`
	StopTimeout time.Duration     `json:"stop_timeout"`
	// Volumes by their names.
	Volumes []string `json:"volumes,omitempty"`
}

// Names in the executor's folder and in that of a replica.
const (
	replicasFolder = "replicas"
	volumesFolder  = "volumes"
	recordFile     = "record.json"
	// rootFolder is what the replica's paths are below, and tempFolder its folder for temporary files.
	rootFolder = "root"
	tempFolder = "tmp"
)

// found is a replica that is there.
type found struct {
	record
	name, folder string
	state        supervisor.State
	// alive: it has a supervisor.
	alive bool
}

// list are the step's replicas, whatever state they are in, the newest first.
func (w *work) list() (all []found, err error) {
	named, err := w.everything(replicas.NamePrefix(w.r))
	if err != nil {
		return nil, err
	}
	for _, f := range named {
		if w.mine(f.record) {
			all = append(all, f)
		}
	}
	slices.SortFunc(all, func(a, b found) int { return cmp.Or(b.Made.Compare(a.Made), cmp.Compare(a.name, b.name)) })
	return all, nil
}

// everything is all replicas of the folder whose names begin like that, whosever they are.
func (w *work) everything(prefix string) (all []found, err error) {
	entries, err := os.ReadDir(filepath.Join(w.options.Folder, replicasFolder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, w.fault(noContext, err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), prefix) {
			continue
		}
		f, there, err := w.look(e.Name())
		if err != nil {
			return nil, err
		}
		if there {
			all = append(all, f)
		}
	}
	return all, nil
}

// look at one replica, which may be gone, or not yet be one.
func (w *work) look(name string) (f found, there bool, err error) {
	f.name, f.folder = name, filepath.Join(w.options.Folder, replicasFolder, name)
	text, err := os.ReadFile(filepath.Join(f.folder, recordFile))
	if errors.Is(err, fs.ErrNotExist) {
		return f, false, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &f.record)
	}
	if err == nil {
		f.state, f.alive, err = supervisor.Look(f.folder)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return f, false, nil
	}
	return f, true, w.fault(noContext, err)
}

func (w *work) mine(r record) bool {
	return r.Labels[container.LabelEnvironment] == w.r.Environment && r.Labels[container.LabelStep] == w.r.Step
}

func (w *work) name(n int) string { return replicas.Name(w.r, n, w.hash) }

// Number is the one that it has, 0 for none.
func (f found) Number() int {
	n, _ := strconv.Atoi(f.Labels[container.LabelReplica])
	return n
}

func (f found) Called() string { return f.name }

// up: it runs, or will in a moment.
func (f found) up() bool {
	return f.alive && (f.state.Phase == supervisor.Running || f.state.Phase == supervisor.Restarting)
}

// AsItShouldBe tells whether it runs, or has done what it was to do once.
func (f found) AsItShouldBe(b container.Block) bool { return f.up() || f.completed(b) }

// completed: one that is not started again has ended well.
func (f found) completed(b container.Block) bool {
	once := b.Restart == container.RestartNo || b.Restart == container.RestartOnFailure
	return once && b.Health == nil && !f.alive && f.state.Phase == supervisor.Exited && f.state.ExitCode == 0
}

// Word is how it is, in a few words.
func (f found) Word() string {
	switch {
	case f.alive:
		return string(f.state.Phase)
	case f.state.Phase == supervisor.Exited:
		return fmt.Sprintf("exited (code %d)", f.state.ExitCode)
	case supervisor.Left(f.ID):
		return "without its supervisor"
	}
	return "gone"
}

// write puts a file beside, and then in its place, so that nobody reads half of it.
func write(file string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	fresh := filepath.Join(filepath.Dir(file), "."+filepath.Base(file)+".new")
	if err := os.WriteFile(fresh, text, 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, file)
}
