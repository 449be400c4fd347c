package bootstrap_test

import (
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/bootstrap"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/executor/helm"
	"github.com/vivarium-env/vivarium/pkg/executor/initialise"
	"github.com/vivarium-env/vivarium/pkg/template"
)

func TestEveryTemplateCompiles(t *testing.T) {
	kinds := template.Kinds{container.Name: container.Kind()}
	kinds[helm.Name] = helm.New(helm.Options{}).Kind()
	for _, e := range initialise.New(initialise.Options{}) {
		kinds[e.Kind().Name] = e.Kind()
	}
	found, err := fs.Glob(bootstrap.Templates, "templates/*/"+template.MainFile)
	require.NoError(t, err)
	require.NotEmpty(t, found)
	dir, err := fs.Sub(bootstrap.Templates, "templates/meta")
	require.NoError(t, err)
	compiled, err := template.Compile(dir, "", kinds)
	require.NoError(t, err)
	for _, name := range []string{"api", "bus"} {
		require.NotNil(t, compiled.OutputValue(name), "by %s the service is found", name)
	}
}
