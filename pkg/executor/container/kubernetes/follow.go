package kubernetes

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/vivarium-env/vivarium/pkg/executor"
)

// lineBytes bounds a line; what is longer is cut.
const lineBytes = 64 << 10

// Follow gives what the replicas print, those that come later too. Kubernetes keeps no streams apart: all is "out".
func (e *Executor) Follow(ctx context.Context, r executor.Request, since time.Time, line func(at time.Time, stream, line string)) error {
	s, err := e.begin(ctx, r, true)
	if err != nil {
		return endless(ctx, err)
	}
	f := &follower{session: s, since: since, line: line, reading: map[string]bool{}}
	inner, cancel := context.WithCancel(ctx)
	defer f.over.Wait()
	defer cancel()
	err = s.until(ctx, nil, func(sc scene) (bool, error) {
		for _, o := range sc.of(pods) {
			p, err := as[corev1.Pod](o)
			if err != nil {
				return false, err
			}
			f.read(inner, p)
		}
		return false, nil
	}, pods)
	return endless(ctx, err)
}

// endless is nil once ctx has ended: that is how following ends.
func endless(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

type follower struct {
	*session
	since time.Time
	over  sync.WaitGroup

	mu      sync.Mutex // guards reading, and keeps lines one at a time
	line    func(at time.Time, stream, line string)
	reading map[string]bool // ids of containers that are being read, or were to their end
}

// read begins to read a container that has started and is not being read.
func (f *follower) read(ctx context.Context, p corev1.Pod) {
	for _, c := range p.Status.ContainerStatuses {
		f.mu.Lock()
		begun := f.reading[c.ContainerID]
		if c.ContainerID != "" && (c.State.Running != nil || c.State.Terminated != nil) {
			f.reading[c.ContainerID] = true
		} else {
			begun = true
		}
		f.mu.Unlock()
		if !begun {
			f.over.Go(func() { f.stream(ctx, p.Name, c) })
		}
	}
}

// stream reads one container to its end. What can't be read is not worth ending the others for: the pod may be gone.
func (f *follower) stream(ctx context.Context, pod string, c corev1.ContainerStatus) {
	request := f.c.raw.Get().Namespace(f.at.namespace).Resource("pods").Name(pod).SubResource("log").Param("container", c.Name).
		Param("follow", "true").Param("timestamps", "true")
	if !f.since.IsZero() {
		request.Param("sinceTime", f.since.UTC().Format(time.RFC3339))
	}
	body, err := request.Stream(ctx)
	if err != nil {
		f.options.Log.Debug("what a pod prints can't be followed", "pod", pod, "error", err)
		return
	}
	defer func() { _ = body.Close() }()
	f.lines(body)
}

func (f *follower) lines(body io.Reader) {
	r := bufio.NewReaderSize(body, lineBytes)
	for {
		text, err := r.ReadSlice('\n')
		long := errors.Is(err, bufio.ErrBufferFull)
		if len(text) > 0 {
			f.give(strings.TrimRight(string(text), "\r\n"))
		}
		for long {
			_, err = r.ReadSlice('\n')
			long = errors.Is(err, bufio.ErrBufferFull)
		}
		if err != nil {
			return
		}
	}
}

// give hands a line on, unless it is older than was asked for: the API server knows seconds only.
func (f *follower) give(stamped string) {
	stamp, text, ok := strings.Cut(stamped, " ")
	at, err := time.Parse(time.RFC3339Nano, stamp)
	if !ok || err != nil {
		at, text = time.Now().UTC(), stamped
	} else if at.Before(f.since) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.line(at, "out", text)
}
