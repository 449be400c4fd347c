package e2e

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A template with a secret that comes in by a parameter, goes through a Terraform module, comes out as a sensitive
// output, is put together with other text, and is printed by a careless program.
var careless = map[string]string{
	"template.hcl": `template "careless" {
  version = "1.0.0"
}
parameter "password" {
  type      = string
  sensitive = true
}
resource "terraform" "database" {
  source = "./database"
  inputs = { password = param.password }
}
action "print" {
  command     = ["sh", "-c", "echo connecting to $URL; echo $URL >&2"]
  environment = { URL = "postgres://app:${resource.terraform.database.outputs.password}@db.example.test/notes" }
}
output "url" {
  value     = action.print.outputs.stdout
  sensitive = true
}
`,
	"database/main.tf": `variable "password" {
  type      = string
  sensitive = true
}
resource "terraform_data" "this" {
  input = var.password
}
output "password" {
  value     = terraform_data.this.output
  sensitive = true
}
`}

func writeCatalogue(t *testing.T, files map[string]string) string {
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, "careless", name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return dir
}

func TestASecretIsNowhereToBeFound(t *testing.T) {
	const password = "correct-horse-battery-staple"
	s := server(t, "--primary", "--catalogue", writeCatalogue(t, careless), "--log-level", "debug")
	out, err := s.cli("env", "create", "careful", "--template", "careless", "--param", "password="+password, "--wait")
	require.NoError(t, err)
	require.NotContains(t, out, password)
	for _, path := range []string{"environments/careful", "environments/careful/resources", "environments/careful/journal",
		"environments/careful/logs", "environments/careful/operations", "environments/careful/graph"} {
		answer, err := http.Get(s.url(path))
		require.NoError(t, err)
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.NotContains(t, string(body), password, path)
		if path == "environments/careful/logs" {
			require.Contains(t, string(body), "connecting to ", "the program's output is there, masked")
		}
	}
	require.NotContains(t, s.log.String(), password)
	notInAnyFile(t, s.data, password)
	_, err = s.cli("env", "destroy", "careful", "--yes", "--wait")
	require.NoError(t, err)
	s.stop()
	notInAnyFile(t, s.data, password)
}

func notInAnyFile(t *testing.T, dir, secret string) {
	t.Helper()
	files := 0
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if at := bytes.Index(text, []byte(secret)); at >= 0 {
			return fmt.Errorf("%s holds the secret in clear at byte %d", path, at)
		}
		return nil
	}))
	require.NotZero(t, files)
}
