package process

import (
	"path"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/executor/container"
)

// moved rewrites texts for a replica whose root is not the machine's: each path in them that is that of a file of the block, of a
// folder of such a file, or is below a volume, gets the root before it. All other paths are the machine's.
type moved struct {
	root string
	// exact are files and their folders, below are volumes.
	exact map[string]bool
	below []string
}

func (w *work) moved(root string) moved {
	m := moved{root: root, exact: map[string]bool{}}
	for file := range w.block.Files {
		for at := path.Clean(file); at != "/"; at = path.Dir(at) {
			m.exact[at] = true
		}
	}
	for _, v := range w.block.Volumes {
		m.below = append(m.below, v.Path)
	}
	return m
}

// text with the paths moved. A path begins where no other has begun, and ends before whatever is in no path.
func (m moved) text(t string) string {
	var b strings.Builder
	for i := 0; i < len(t); {
		if t[i] != '/' || i > 0 && inPath(t[i-1]) {
			b.WriteByte(t[i])
			i++
			continue
		}
		end := i
		for end < len(t) && inPath(t[end]) {
			end++
		}
		if m.has(t[i:end]) {
			b.WriteString(m.root)
		}
		b.WriteString(t[i:end])
		i = end
	}
	return b.String()
}

func (m moved) has(p string) bool {
	p = strings.TrimRight(p, "/")
	if m.exact[p] {
		return true
	}
	for _, v := range m.below {
		if p == v || strings.HasPrefix(p, v+"/") {
			return true
		}
	}
	return false
}

func inPath(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80 || strings.IndexByte("._-+@%~/", c) >= 0
}

func (m moved) list(words []string) []string {
	all := make([]string, len(words))
	for i, word := range words {
		all[i] = m.text(word)
	}
	return all
}

// env are the variables of a replica: the block's, and what every program may expect.
func (w *work) env(folder string) []string {
	m := w.moved(rootOf(folder))
	all := map[string]string{"PATH": w.options.Path, "HOME": m.root, "TMPDIR": tempOf(folder)}
	for name, value := range w.block.Env {
		all[name] = m.text(value)
	}
	return pairs(all)
}

func (w *work) args() []string {
	args := []string{w.program.path}
	if len(w.block.Entrypoint) > 1 {
		args = append(args, w.block.Entrypoint[1:]...)
	}
	return append(args, w.block.Command...)
}

// stopFirst tells whether old and new can't be there at once.
func (w *work) stopFirst() bool {
	return w.block.Update.Order == container.StopFirst || len(w.ports()) > 0
}
