package terraform

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-exec/tfexec"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// single are the backends that know no workspaces; "cloud" and "remote" name theirs in their block.
var single = []string{"http", "cloud", "remote"}

// workspace is the one of this environment and step alone in the module's own backend, "" where the backend has none.
func (run *run) workspace() string {
	if run.module.backend == "" || slices.Contains(single, run.module.backend) {
		return ""
	}
	r := run.request
	sum := sha256.Sum256([]byte(r.Environment + "\x00" + r.Step))
	step := strings.Trim(notInNames.ReplaceAllString(r.Step, "-"), "-")
	const longest = 40 // backends make file names and keys of it
	return "vivarium-" + r.Environment + "-" + strings.Trim(step[:min(len(step), longest)], "-") + "-" + hex.EncodeToString(sum[:4])
}

var notInNames = regexp.MustCompile(`[^a-zA-Z0-9]+`)

// selectWorkspace makes the workspace the one in which the step's data folder works. A look makes none.
func (run *run) selectWorkspace(ctx context.Context) error {
	if run.stamp.Workspace == "" {
		return nil
	}
	if run.look {
		there, err := run.hasWorkspace(ctx)
		if run.missing = err == nil && !there; err != nil || run.missing {
			return err
		}
	}
	return run.backendSays(ctx, "the workspace %s can't be selected in the backend of %s", run.stamp.Workspace,
		"workspace", "select", "-or-create", run.stamp.Workspace)
}

// hasWorkspace looks for the workspace among those of the backend, which are listed one a line, the selected one with a star.
func (run *run) hasWorkspace(ctx context.Context) (there bool, err error) {
	said := &plain{run: run}
	out := func(line []byte, _ bool) {
		there = there || strings.TrimLeft(string(line), "* ") == run.stamp.Workspace
	}
	code, err := run.program(ctx, out, said.err, nil, "workspace", "list")
	switch {
	case err != nil:
		return false, run.wrap(ctx, err, "%s can't be started", run.binary)
	case code != 0:
		return false, fault.New(fault.Retry, fault.ExecutorFailed, "the workspaces in the backend of %s can't be listed: %s",
			run.request.Step, run.request.Mask(said.message()))
	}
	return there, nil
}

// deleteWorkspace removes a workspace that has nothing in it any more. The next apply makes it again.
func (run *run) deleteWorkspace(ctx context.Context) error {
	if run.stamp.Workspace == "" {
		return nil
	}
	err := run.backendSays(ctx, "the workspace %s can't be left in the backend of %s", run.stamp.Workspace, "workspace", "select", "default")
	if err == nil {
		err = run.backendSays(ctx, "the workspace %s can't be removed from the backend of %s", run.stamp.Workspace,
			"workspace", "delete", run.stamp.Workspace)
	}
	if err == nil {
		err = os.Remove(filepath.Join(run.request.WorkDir, stampFile)) // the data folder is no longer as the stamp says
	}
	if err != nil {
		return run.wrap(ctx, err, "the working folder of %s can't be cleared", run.request.Step)
	}
	return nil
}

// backendSays runs something short that talks to the module's own backend.
func (run *run) backendSays(ctx context.Context, what, workspace string, args ...string) error {
	said := &plain{run: run}
	code, err := run.program(ctx, said.out, said.err, nil, args...)
	switch {
	case err != nil:
		return run.wrap(ctx, err, "%s can't be started", run.binary)
	case code != 0:
		return fault.New(fault.Retry, fault.ExecutorFailed, what+": %s", workspace, run.request.Step, run.request.Mask(said.message()))
	}
	return nil
}

// pull reads the state from the module's own backend.
func (run *run) pull(ctx context.Context) (state, error) {
	tf, err := tfexec.NewTerraform(run.dir(), run.binary)
	if err == nil {
		err = tf.SetEnv(run.environment())
	}
	var text string
	if err == nil {
		text, err = tf.StatePull(ctx)
	}
	if err != nil {
		if ctx.Err() != nil {
			return state{}, fault.From(ctx.Err())
		}
		return state{}, fault.Wrap(err, fault.Retry, fault.ExecutorFailed,
			"the state of %s can't be read from the module's own backend %q; look whether the runner reaches it, and with which credentials",
			run.request.Step, run.module.backend)
	}
	return parseState(json.RawMessage(text))
}
