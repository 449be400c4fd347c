package process

import (
	"os"
	"os/user"
	"strconv"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/executor/container/process/supervisor"
)

// user is who the program runs as, nil for who the runner runs as. "name", "1000" and "1000:1000" are understood.
func (w *work) user() (*supervisor.User, error) {
	asked := w.block.User
	if asked == "" {
		return nil, nil
	}
	name, group, _ := strings.Cut(asked, ":")
	u := &supervisor.User{}
	known, err := user.Lookup(name)
	if err != nil {
		known, err = user.LookupId(name)
	}
	if err == nil {
		u.UID, u.GID = number(known.Uid), number(known.Gid)
		groups, _ := known.GroupIds() // none is none
		for _, g := range groups {
			u.Groups = append(u.Groups, number(g))
		}
	} else if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		u.UID, u.GID = uint32(n), uint32(n)
	} else {
		return nil, container.Invalid(w.r, "user = %q is not known on this machine", asked)
	}
	if group != "" {
		g, err := user.LookupGroup(group)
		if err != nil {
			g = &user.Group{Gid: group}
		}
		if _, err := strconv.ParseUint(g.Gid, 10, 32); err != nil {
			return nil, container.Invalid(w.r, "the group of user = %q is not known on this machine", asked)
		}
		u.GID = number(g.Gid)
	}
	switch own := os.Geteuid(); {
	case int(u.UID) == own && (group == "" || int(u.GID) == os.Getegid()):
		return nil, nil
	case own != 0:
		return nil, container.Invalid(w.r, "user = %q is somebody else than the runner, which may run programs as itself alone: leave user out, or have the runner run as root", asked)
	}
	return u, nil
}

func number(text string) uint32 {
	n, _ := strconv.ParseUint(text, 10, 32) // of the system's own lists
	return uint32(n)
}
