package supervisor

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

const (
	// drain is how long output is still read after all of the program is gone: only what has left it altogether can hold it open.
	drain = 2 * time.Second
	// killTime bounds how long is tried to end what the program has left behind.
	killTime = 10 * time.Second
)

// program is one run of the program.
type program struct {
	cmd   *exec.Cmd
	id    string
	pipes []*os.File
	read  sync.WaitGroup
	// ended is closed when nothing of it runs any more and its output was read; then code is its exit code.
	ended chan struct{}
	code  int
}

// start starts the program in a session of its own. It is asked to end when the supervisor dies: nobody would read what it says.
func start(s Spec, log *logbook) (*program, error) {
	p := &program{id: s.ID, ended: make(chan struct{})}
	p.cmd = &exec.Cmd{Path: s.Path, Args: s.Args, Dir: s.Dir, Env: append(s.Env[:len(s.Env):len(s.Env)], Mark+"="+s.ID)}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGTERM, Credential: s.User.credential()}
	out, err := p.pipe("out", log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	bad, err := p.pipe("err", log)
	if err != nil {
		return nil, errors.Join(err, p.finish(0))
	}
	defer func() { _ = bad.Close() }()
	p.cmd.Stdout, p.cmd.Stderr = out, bad
	if err := p.cmd.Start(); err != nil {
		_, _ = out.Close(), bad.Close()
		return nil, errors.Join(err, p.finish(0))
	}
	go p.wait()
	return p, nil
}

func (u *User) credential() *syscall.Credential {
	if u == nil {
		return nil
	}
	return &syscall.Credential{Uid: u.UID, Gid: u.GID, Groups: u.Groups}
}

func (p *program) pid() int { return p.cmd.Process.Pid }

// pipe is what the program writes to; its lines go to the log.
func (p *program) pipe(stream string, log *logbook) (*os.File, error) {
	from, to, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.pipes = append(p.pipes, from)
	p.read.Go(func() {
		for in := bufio.NewReaderSize(from, lineBytes); ; {
			line, err := in.ReadSlice('\n') // a line that is too long comes in pieces, all else ends it
			if len(line) > 0 {
				log.add(stream, bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")))
			}
			if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
				return
			}
		}
	})
	return to, nil
}

// finish reads what is on its way, at most for that long.
func (p *program) finish(within time.Duration) error {
	for _, f := range p.pipes {
		_ = f.SetReadDeadline(time.Now().Add(within)) // pipes always take one
	}
	p.read.Wait()
	for _, f := range p.pipes {
		_ = f.Close()
	}
	return nil
}

// wait waits for the program's end, and ends what it leaves behind, as the end of a container does.
func (p *program) wait() {
	defer close(p.ended)
	_ = p.cmd.Wait() // how it went is in the state
	p.code = exitCode(p.cmd.ProcessState)
	_ = killGroup(p.pid())
	ctx, cancel := context.WithTimeout(context.Background(), killTime)
	defer cancel()
	_ = EndLeftovers(ctx, p.id, 0) // what can't be ended is seen by whoever looks
	_ = p.finish(drain)
}

func exitCode(s *os.ProcessState) int {
	if status, ok := s.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return s.ExitCode()
}

// end asks the program to end, ends it when it does not in time, and returns when it is gone.
func (p *program) end(within time.Duration) {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // where it has just ended, that is seen
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-p.ended:
	case <-timer.C:
		_ = killGroup(p.pid())
		<-p.ended
	}
}
