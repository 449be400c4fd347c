package deployments

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coreos/go-systemd/v22/unit"
	"github.com/stretchr/testify/require"
)

func TestUnits(t *testing.T) {
	for file, command := range map[string]string{"vivarium.service": "server", "vivarium-runner.service": "runner"} {
		options, err := unit.DeserializeOptions(strings.NewReader(read(t, "systemd/"+file)))
		require.NoError(t, err)
		has := map[string]string{}
		for _, o := range options {
			has[o.Section+"."+o.Name] = o.Value
		}
		require.Equal(t, "/usr/local/bin/vivarium "+command, has["Service.ExecStart"])
		require.Equal(t, "process", has["Service.KillMode"], "processes that are containers are in the unit's group")
		variables := map[string]string{}
		for _, assignment := range strings.Fields(has["Service.Environment"]) {
			name, value, _ := strings.Cut(assignment, "=")
			variables[name] = value
		}
		s := requireSettings(t, variables)
		require.Equal(t, filepath.Join("/var/lib", has["Service.StateDirectory"]), s.DataDir)
	}
}

// TestUnitsAsSystemdReadsThem: the real thing knows all of what is said, and finds nothing wrong.
func TestUnitsAsSystemdReadsThem(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("NOT RUN: systemd is not installed, so nothing has read the units but the test before")
		return
	}
	folder := t.TempDir()
	for _, file := range []string{"vivarium.service", "vivarium-runner.service"} {
		text := strings.ReplaceAll(read(t, "systemd/"+file), "/usr/local/bin/vivarium", "/bin/true") // which has to be there
		require.NoError(t, os.WriteFile(filepath.Join(folder, file), []byte(text), 0o600))
		out, err := exec.Command(analyze, "verify", "--man=no", filepath.Join(folder, file)).CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.NotContains(t, string(out), file, "systemd has something to say of it")
	}
}
