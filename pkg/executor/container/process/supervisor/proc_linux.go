package supervisor

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// bootID tells one run of the machine from the next, so that numbers from before a restart are nobody's.
var bootID = sync.OnceValue(func() string {
	text, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // "" is the same in all identities
	return strings.TrimSpace(string(text))
})

// identify is the identity of a process that is there.
func identify(pid int) Identity {
	_, start := stat(pid)
	return Identity{PID: pid, Start: start, Boot: bootID()}
}

// Alive tells whether the process is there and is the one that was noted.
func (i Identity) Alive() bool {
	if i.PID <= 1 || i.Boot != bootID() {
		return false
	}
	state, start := stat(i.PID)
	return start != 0 && start == i.Start && state != "Z" && state != "X"
}

// signal is sent to that process or to none: the handle is taken first, and then it is looked at whose it is.
func (i Identity) signal(s syscall.Signal) error {
	if i.PID <= 1 {
		return os.ErrProcessDone
	}
	p, err := os.FindProcess(i.PID)
	if err != nil {
		return err
	}
	defer func() { _ = p.Release() }()
	if !i.Alive() {
		return os.ErrProcessDone
	}
	return p.Signal(s)
}

// stat reads a process's state and start (in ticks since the boot); 0 where there is none.
func stat(pid int) (state string, start uint64) {
	fields := statFields(pid)
	if len(fields) < startField+1 {
		return "", 0
	}
	start, _ = strconv.ParseUint(fields[startField], 10, 64)
	return fields[0], start
}

// Fields of /proc/PID/stat behind the name, which may hold anything, so what counts begins behind the last bracket.
const (
	userField   = 11
	systemField = 12
	startField  = 19
	pagesField  = 21
)

func statFields(pid int) []string {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return nil // it ended meanwhile
	}
	return strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
}

// marked are the living processes that carry the mark, as far as this user may see them.
func marked(id string) (pids []int) {
	entry := []byte("\x00" + Mark + "=" + id + "\x00")
	environs, _ := filepath.Glob("/proc/[0-9]*/environ") // the pattern is a constant and right
	for _, file := range environs {
		text, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(append([]byte{0}, text...), entry) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if state, _ := stat(pid); err == nil && state != "" && state != "Z" && state != "X" {
			pids = append(pids, pid)
		}
	}
	return pids
}

// killGroup ends a group at once; that nobody is left of it is the aim.
func killGroup(leader int) error {
	if err := syscall.Kill(-leader, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// signalTo tells a process that was there a moment ago.
func signalTo(pid int, s syscall.Signal) { _ = identify(pid).signal(s) }

// Use is what the processes of a program use.
type Use struct {
	// Ticks of processor time, of which there are a hundred in a second, since they were started.
	Ticks uint64
	// Memory in bytes that is theirs in the machine's memory; what they share counts for each.
	Memory int64
}

// Uses adds up what all processes use that carry the mark.
func Uses(id string) (u Use) {
	for _, pid := range marked(id) {
		fields := statFields(pid)
		if len(fields) <= pagesField {
			continue
		}
		for _, at := range []int{userField, systemField} {
			ticks, _ := strconv.ParseUint(fields[at], 10, 64)
			u.Ticks += ticks
		}
		pages, _ := strconv.ParseInt(fields[pagesField], 10, 64)
		u.Memory += pages * int64(os.Getpagesize())
	}
	return u
}
