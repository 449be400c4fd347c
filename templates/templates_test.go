// Package templates_test compiles every template that is shipped, and runs their apps and modules.
package templates_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/executor/action"
	"github.com/vivarium-env/vivarium/pkg/executor/consulkv"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/executor/noop"
	"github.com/vivarium-env/vivarium/pkg/executor/terraform"
	"github.com/vivarium-env/vivarium/pkg/executor/vault"
	"github.com/vivarium-env/vivarium/pkg/template"
)

func kinds() template.Kinds {
	all := template.Kinds{}
	for _, k := range []template.Kind{
		noop.New().Kind(), action.New(action.Options{}).Kind(), terraform.New(terraform.Options{}).Kind(),
		consulkv.New(consulkv.Options{}).Kind(), container.Kind(),
	} {
		all[k.Name] = k
	}
	for _, e := range vault.Connect(vault.Options{}).Executors() {
		all[e.Kind().Name] = e.Kind()
	}
	return all
}

func TestEveryTemplateCompiles(t *testing.T) {
	found, err := filepath.Glob("*/" + template.MainFile)
	require.NoError(t, err)
	require.NotEmpty(t, found)
	for _, file := range found {
		dir := filepath.Dir(file)
		t.Run(dir, func(t *testing.T) {
			compiled, err := template.Compile(os.DirFS(dir), dir, kinds())
			require.NoError(t, err)
			require.Equal(t, dir, compiled.Name, "a template's folder has its name")
			require.NotEmpty(t, compiled.Version)
		})
	}
}
