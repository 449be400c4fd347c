package terraform

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-exec/tfexec"
)

// defaultPath is the PATH of Terraform when Options.Environment has none: Debian's.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// ours are the prefixes of variables that only this package sets, beside those that tfexec knows. Vivarium's own may
// hold the credentials of the bus. TF_HTTP_ is ours too, unless the module's own backend wants it.
var ours = []string{"TF_DATA_DIR", "VIVARIUM_"}

// rareCollection is GOGC for the program. Most of a short run is its start, in which collecting garbage is a third of the
// processor time; a large module takes twice the memory for it (measured: 300 MB instead of 160 for 3,000 resources, and 6 GB
// with no collection at all). Providers are Go programs with heaps of their own and get the variable from the program: where
// there are any, it stays as it is.
const rareCollection = "400"

// environment is that of the run's processes.
func (run *run) environment() map[string]string {
	env := map[string]string{"PATH": defaultPath, "HOME": run.request.WorkDir}
	for _, entry := range run.executor.options.Environment {
		name, value, ok := strings.Cut(entry, "=")
		if ok && !hasPrefix(name, ours) && (run.server == nil || !strings.HasPrefix(name, "TF_HTTP_")) {
			env[name] = value
		}
	}
	env = tfexec.CleanEnv(env)
	env["CHECKPOINT_DISABLE"] = "1"
	if env["GOGC"] == "" && !run.hasProviders() {
		env["GOGC"] = rareCollection
	}
	env["TF_DATA_DIR"] = run.data
	if dir := run.executor.options.PluginCacheDir; dir != "" {
		env["TF_PLUGIN_CACHE_DIR"] = dir
	}
	if run.server != nil {
		for _, entry := range run.server.environment() {
			name, value, _ := strings.Cut(entry, "=")
			env[name] = value
		}
	}
	env["VIVARIUM_ENVIRONMENT"] = run.request.Environment
	env["VIVARIUM_STEP"] = run.request.Step
	env["VIVARIUM_ATTEMPT"] = strconv.Itoa(run.request.Attempt)
	env["VIVARIUM_OPERATION"] = run.request.Operation
	return env
}

// hasProviders tells whether init has installed programs beside the one that was run.
func (run *run) hasProviders() bool {
	entries, err := os.ReadDir(filepath.Join(run.data, "providers"))
	return err == nil && len(entries) > 0
}

// processEnvironment adds what tfexec would set itself.
func (run *run) processEnvironment() []string {
	list := []string{"TF_IN_AUTOMATION=1", "TF_INPUT=0"}
	for name, value := range run.environment() {
		list = append(list, name+"="+value)
	}
	return list
}

// marks tell the step's processes from all others.
func (run *run) marks() []string {
	return []string{"VIVARIUM_ENVIRONMENT=" + run.request.Environment, "VIVARIUM_STEP=" + run.request.Step}
}

func (run *run) record() string { return filepath.Join(run.request.WorkDir, "process") }

func hasPrefix(name string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}
