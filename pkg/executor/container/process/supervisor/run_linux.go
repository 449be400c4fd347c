package supervisor

import (
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"
)

const (
	// firstDelay lies before the first new start of a program that has ended, and doubles up to lastDelay.
	firstDelay = 100 * time.Millisecond
	lastDelay  = time.Minute
	// lasting is how long a program has to run for its next new start to be like the first.
	lasting = 10 * time.Second
)

// supervisor is the process's one.
type supervisor struct {
	folder  string
	spec    Spec
	log     *logbook
	state   State
	signals chan os.Signal
	delay   time.Duration
}

// wish is what a supervisor was asked for while its program ran, or did not.
type wish int

const (
	nothing wish = iota
	stop
	hold
	resume
)

// supervise runs the program until it is not to run any more. started is called once the program was started; when it can't be, or
// somebody else supervises the folder, that is the error, and by then the lock is free.
func supervise(folder string, spec Spec, started func()) error {
	runtime.LockOSThread() // the program is told when the thread that has started it ends
	debug.SetGCPercent(20) // there is nothing to be fast at, and a machine may have many of these
	lock, err := take(filepath.Join(folder, lockFile))
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	log, err := openLog(filepath.Join(folder, logFolder))
	if err != nil {
		return err
	}
	defer log.close()
	s := &supervisor{folder: folder, spec: spec, log: log, signals: make(chan os.Signal, 8), delay: firstDelay}
	return s.run(started)
}

func (s *supervisor) run(started func()) error {
	signal.Reset(syscall.SIGTERM) // whatever the program that this is makes of it
	signal.Ignore(syscall.SIGINT, syscall.SIGHUP)
	signal.Notify(s.signals, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2)
	s.state.Supervisor = identify(os.Getpid())
	s.say(Starting)
	p, err := s.begin()
	if err != nil {
		return err
	}
	started()
	for {
		w := nothing
		if p != nil {
			w = s.watch(p)
		}
		if w == nothing {
			w = s.between()
		}
		if w == hold {
			s.say(Held)
			w = s.await(nil)
		}
		if w == stop {
			s.say(Exited)
			return nil
		}
		s.state.Restarts++
		p = s.again()
	}
}

// begin starts the program.
func (s *supervisor) begin() (*program, error) {
	p, err := start(s.spec, s.log)
	s.state.Problem = ""
	if err != nil {
		s.state.Problem = err.Error()
		return nil, err
	}
	s.state.Program, s.state.Started = identify(p.pid()), time.Now().UTC()
	s.say(Running)
	return p, nil
}

// again starts the program once more; where that can't be, it counts as an end like any other.
func (s *supervisor) again() *program {
	p, err := s.begin()
	if err != nil {
		s.state.ExitCode = -1
		s.log.add("err", []byte("the program can't be started: "+err.Error()))
	}
	return p
}

// watch waits for the program's end, or ends it.
func (s *supervisor) watch(p *program) wish {
	w := nothing
	for running := true; running; {
		select {
		case <-p.ended:
			running = false
		case got := <-s.signals:
			if asked := wishOf(got); asked == stop || asked == hold {
				w = asked
				p.end(s.spec.StopTimeout)
				running = false
			}
		}
	}
	s.state.ExitCode = p.code
	if time.Since(s.state.Started) >= lasting {
		s.delay = firstDelay
	}
	return w
}

// between says whether a program that has ended is to be started again, and waits until then.
func (s *supervisor) between() wish {
	if s.spec.Restart == Never || s.spec.Restart == OnFailure && s.state.ExitCode == 0 {
		return stop
	}
	s.say(Restarting)
	timer := time.NewTimer(s.delay)
	defer timer.Stop()
	s.delay = min(2*s.delay, lastDelay)
	return s.await(timer.C)
}

// await waits for a wish, or until a time.
func (s *supervisor) await(until <-chan time.Time) wish {
	for {
		select {
		case <-until:
			return nothing
		case got := <-s.signals:
			w := wishOf(got)
			if w == stop || w == hold && until != nil || w == resume && until == nil {
				return w
			}
		}
	}
}

func wishOf(s os.Signal) wish {
	switch s {
	case syscall.SIGTERM:
		return stop
	case syscall.SIGUSR1:
		return hold
	case syscall.SIGUSR2:
		return resume
	}
	return nothing
}

// say keeps the state; where it can't be written, readers go by what they see of the processes.
func (s *supervisor) say(p Phase) {
	s.state.Phase = p
	if err := s.state.save(s.folder); err != nil {
		s.log.add("err", []byte("the supervisor can't note that the program is "+string(p)+": "+err.Error()))
	}
}
