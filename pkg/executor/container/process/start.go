package process

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/executor/container/internal/replicas"
	"github.com/vivarium-env/vivarium/pkg/executor/container/process/supervisor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// start makes a replica, and has it started. What an earlier attempt left half done of it goes.
func (w *work) start(ctx context.Context, n int) (f found, err error) {
	name := w.name(n)
	if err := w.clear(ctx, name); err != nil {
		return f, err
	}
	if err := w.portsFree(ctx); err != nil {
		return f, err
	}
	user, err := w.user()
	if err != nil {
		return f, err
	}
	made := w.recordOf(n)
	folder := filepath.Join(w.options.Folder, replicasFolder, name)
	if err := w.make(ctx, folder, made, user); err != nil {
		return f, w.fault(ctx, err)
	}
	if err := supervisor.Start(ctx, w.options.Supervise, folder, w.spec(folder, made, user)); err != nil {
		if ctx.Err() != nil {
			return f, fault.From(ctx.Err())
		}
		return f, fault.Wrap(err, fault.GiveUp, fault.ExecutorFailed, "%s can't be started: %s", w.r.Step, replicas.Cut(w.r.Mask(said(err)), replicas.ShownBytes))
	}
	replicas.Say(w.r, "%s is started", name)
	f, _, err = w.look(name)
	return f, err
}

// make has the record first, then all that the program finds. Folders on the way can be passed by all, since the program may run as
// somebody else, but nobody can look around in them.
func (w *work) make(ctx context.Context, folder string, made record, user *supervisor.User) error {
	if err := os.MkdirAll(folder, 0o711); err != nil {
		return err
	}
	if err := write(filepath.Join(folder, recordFile), made); err != nil {
		return err
	}
	if err := w.ensureVolumes(ctx); err != nil {
		return err
	}
	return w.furnish(folder, user)
}

func (w *work) recordOf(n int) record {
	labels := map[string]string{}
	maps.Copy(labels, w.block.Labels)
	maps.Copy(labels, container.Owner(w.r))
	labels[container.LabelReplica], labels[container.LabelHash] = strconv.Itoa(n), w.hash
	hidden := w.hidden()
	for name, value := range w.block.Labels {
		if slices.Contains(hidden, "labels."+name) {
			labels[name] = w.hashOf("labels."+name, value)
		}
	}
	r := record{
		ID: uuid.NewString(), Labels: labels, Program: w.program.path, ImageID: w.program.id, Made: time.Now().UTC(),
		Flat: w.kept(hidden), Hidden: hidden, StopTimeout: time.Duration(w.block.StopTimeout),
	}
	for _, v := range w.block.Volumes {
		if v.Name != "" {
			r.Volumes = append(r.Volumes, v.Name)
		}
	}
	return r
}

func (w *work) spec(folder string, made record, user *supervisor.User) supervisor.Spec {
	restart := w.block.Restart
	if restart == container.RestartUnlessStopped {
		restart = supervisor.Always // who stops it has it removed
	}
	args := w.args()
	return supervisor.Spec{
		ID: made.ID, Path: w.program.path, Args: append(args[:1:1], w.moved(rootOf(folder)).list(args[1:])...), Dir: w.dir(folder), Env: w.env(folder),
		User: user, Restart: restart, StopTimeout: made.StopTimeout,
	}
}

func (w *work) dir(folder string) string {
	return filepath.Join(rootOf(folder), inside(w.block.Workdir))
}

// clear takes what has the name out of the way; somebody else's is not touched.
func (w *work) clear(ctx context.Context, name string) error {
	f, there, err := w.look(name)
	switch {
	case err != nil:
		return err
	case !there:
		return w.fault(ctx, clearFolder(f.folder)) // cut off before it was anybody's
	case !w.mine(f.record):
		return fault.New(fault.GiveUp, fault.Exists, "the folder %q is not that of %s but somebody else's: give the environment another name", name, w.r.Step)
	}
	return w.remove(ctx, f)
}

// portsFree refuses to start what could not listen, and whose check somebody else would answer.
func (w *work) portsFree(ctx context.Context) error {
	for _, p := range w.ports() {
		at, err := ":"+strconv.Itoa(p.Container), error(nil)
		var listening interface{ Close() error }
		if p.Protocol == container.UDP {
			listening, err = (&net.ListenConfig{}).ListenPacket(ctx, "udp", at)
		} else {
			listening, err = (&net.ListenConfig{}).Listen(ctx, "tcp", at)
		}
		if err == nil {
			err = listening.Close()
		}
		if errors.Is(err, syscall.EADDRINUSE) {
			return fault.Wrap(err, fault.Retry, fault.Busy,
				"port %s, which %s needs, is another program's on this machine: end that (ss -lp names it), or choose another port", p.Key(), w.r.Step)
		}
	}
	return nil
}

// remove ends a replica in an orderly way, and removes its folder.
func (w *work) remove(ctx context.Context, f found) error {
	if w.self(f) {
		return w.leave(ctx, f)
	}
	return w.removeWithin(ctx, f, f.StopTimeout)
}

func (w *work) removeWithin(ctx context.Context, f found, stopTimeout time.Duration) error {
	unlock, err := supervisor.Stop(ctx, f.folder, f.ID, stopTimeout)
	defer unlock()
	if err == nil || errors.Is(err, fs.ErrNotExist) { // where somebody else has just removed it
		err = clearFolder(f.folder)
	}
	if err != nil {
		return w.fault(ctx, err)
	}
	w.ended = append(w.ended, f)
	replicas.Say(w.r, "%s is removed", f.name)
	return nil
}
