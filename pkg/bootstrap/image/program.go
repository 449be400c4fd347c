package image

import (
	"cmp"
	"debug/buildinfo"
	"debug/elf"
	"fmt"
	"os"
	"path"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Program is one that an image gets, below /usr/bin.
type Program struct {
	// File is where it is read, and Package its main package, whose last element is its name in the image.
	File, Package string
	// Shown is what messages call it; File unless given.
	Shown string
}

// Name is what it is called in the image.
func (p Program) Name() string { return path.Base(p.Package) }

func (p Program) shown() string { return cmp.Or(p.Shown, p.File) }

// how to come by a program that can be put into an image.
const build = "build it with CGO_ENABLED=0 GOOS=linux (make build does, on Linux)"

// Check tells for which architecture a program is. One that a machine of it, with nothing else on it, could not run is refused: fault.Invalid.
func (p Program) Check() (architecture string, err error) {
	info, err := buildinfo.ReadFile(p.File)
	if err != nil {
		return "", fault.Wrap(err, fault.Reject, fault.Invalid, "%s can't be put into an image, as it is no program that Go has built and can be read", p.shown())
	}
	if info.Path != p.Package {
		return "", fault.New(fault.Reject, fault.Invalid, "%s can't be put into an image: it is %s, and not %s", p.shown(), info.Path, p.Package)
	}
	set := map[string]string{}
	for _, s := range info.Settings {
		set[s.Key] = s.Value
	}
	if set["GOOS"] != "linux" {
		return "", fault.New(fault.Reject, fault.Invalid, "%s is a program for %s/%s, and an image needs one for Linux: %s", p.shown(), set["GOOS"], set["GOARCH"], build)
	}
	if err := p.static(); err != nil {
		return "", err
	}
	return set["GOARCH"], nil
}

// static refuses a program that needs libraries, which an image with nothing else in it lacks.
func (p Program) static() error {
	f, err := elf.Open(p.File)
	if err != nil {
		return fault.Wrap(err, fault.Reject, fault.Invalid, "%s can't be put into an image: it is no program of Linux", p.shown())
	}
	defer func() { _ = f.Close() }()
	for _, segment := range f.Progs {
		if segment.Type == elf.PT_INTERP {
			return fault.New(fault.Reject, fault.Invalid, "%s needs this machine's libraries, since it was built with cgo, and an image has none: %s", p.shown(), build)
		}
	}
	return nil
}

// size is in bytes.
func (p Program) size() (int64, error) {
	info, err := os.Stat(p.File)
	if err != nil {
		return 0, fmt.Errorf("the program of the image: %w", err)
	}
	return info.Size(), nil
}
