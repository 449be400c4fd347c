package template

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// git runs the git binary in a folder. It never asks anybody anything, changes no index by looking, and does not
// take the repository that an enclosing git command may be working on for its own.
func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"--no-optional-locks", "-c", "core.hooksPath=/dev/null"}, args...)...)
	cmd.Dir = dir
	foreign := []string{"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR"}
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains(foreign, name)
	})
	// ext:: and other transports run commands that the URL names.
	cmd.Env = append(cmd.Env, "GIT_TERMINAL_PROMPT=0", "GIT_ALLOW_PROTOCOL=file:git:http:https:ssh", "LC_ALL=C")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(errs.String()))
	}
	return strings.TrimSpace(out.String()), nil
}

// checkout is what is known of the git checkout around a catalogue.
type checkout struct {
	asked bool
	meta  []string // files of git's own that change with every commit, checkout and staging
	stamp string
	head  string
}

// refresh tells whether the checkout has moved since the last time. Without git, or outside of a checkout, it never
// does. Nothing is run while git's own files are the same.
func (g *checkout) refresh(ctx context.Context, dir string) bool {
	if !g.asked {
		out, err := git(ctx, dir, "rev-parse", "--absolute-git-dir")
		if ctx.Err() != nil {
			return false
		}
		g.asked = true
		if err == nil {
			g.meta = []string{"HEAD", "index", "logs/HEAD", "packed-refs"}
			for i, name := range g.meta {
				g.meta[i] = filepath.Join(out, name)
			}
		}
	}
	if g.meta == nil {
		return false
	}
	var now strings.Builder
	for _, name := range g.meta {
		if info, err := os.Stat(name); err == nil {
			fmt.Fprintln(&now, info.Size(), info.ModTime().UnixNano())
		}
	}
	if now.String() == g.stamp {
		return false
	}
	head, err := git(ctx, dir, "rev-parse", "--verify", "--quiet", "HEAD")
	if err != nil {
		head = "" // nothing is committed yet
	}
	if ctx.Err() == nil {
		g.stamp, g.head = now.String(), head
	}
	return true
}

// commitOf is the commit of the checkout, with "-dirty" when the folder is not as it was committed.
func (g *checkout) commitOf(ctx context.Context, dir string) string {
	if g.head == "" {
		return ""
	}
	changes, err := git(ctx, dir, "status", "--porcelain", "--untracked-files=all", "--", ".")
	if err != nil || changes != "" {
		return g.head + "-dirty"
	}
	return g.head
}
