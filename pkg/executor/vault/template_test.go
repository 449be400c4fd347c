package vault_test

import (
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/executor/vault"
	"github.com/vivarium-env/vivarium/pkg/template"
)

func body(t *testing.T, name, text string) (cty.Value, hcl.Diagnostics) {
	t.Helper()
	file, diags := hclsyntax.ParseConfig([]byte(text), "template.hcl", hcl.InitialPos)
	require.False(t, diags.HasErrors(), diags)
	for _, e := range vault.New(vault.Options{}) {
		if e.Kind().Name == name {
			return hcldec.Decode(file.Body, e.Kind().Spec, &hcl.EvalContext{Variables: map[string]cty.Value{
				"unknown": cty.DynamicVal, "secret": cty.StringVal("s").Mark(template.Sensitive),
			}})
		}
	}
	t.Fatalf("no kind %s", name)
	return cty.NilVal, nil
}

func TestGivenValuesAreSensitiveWhateverTheirAuthorSays(t *testing.T) {
	for _, data := range []string{`{ user = "app" }`, `{ user = unknown }`, `unknown`, `{ user = secret }`} {
		v, diags := body(t, vault.SecretName, `path = "a"`+"\ndata = "+data)
		require.False(t, diags.HasErrors(), diags)
		require.True(t, v.GetAttr("data").HasMark(template.Sensitive), data)
	}
	v, diags := body(t, vault.SecretName, `path = "a"`)
	require.False(t, diags.HasErrors(), diags)
	require.True(t, v.GetAttr("data").IsNull())
	require.False(t, v.GetAttr("path").IsMarked())
}

func TestMistakesInATemplate(t *testing.T) {
	for text, says := range map[string]string{
		`path = "a"
		 generate = { password = { lenght = 3 } }`: `"lenght"`,
		`path = "a"
		 generate = { password = 3 }`: `"password"`,
		`path = "a"
		 generate = { password = { length = "long" } }`: "number",
		`path = "a"
		 generate = 3`: `"generate" has to be an object`,
		`generate = {}`: `"path"`,
	} {
		_, diags := body(t, vault.SecretName, text)
		require.True(t, diags.HasErrors(), text)
		require.Contains(t, diags.Error(), says)
		require.NotNil(t, diags[0].Subject)
	}
	for _, generate := range []string{`{ a = {}, b = { length = 3, alphabet = "ab", rotate = "x" } }`, `unknown`, `{ a = unknown }`, `{ a = { length = unknown, rotate = secret } }`, `null`} {
		_, diags := body(t, vault.SecretName, `path = "a"`+"\ngenerate = "+generate)
		require.False(t, diags.HasErrors(), "%s: %v", generate, diags)
	}
	_, diags := body(t, vault.PKIName, `role = "a"
		common_name = "b"
		store = "c"
		ttl = "soon"`)
	require.ErrorContains(t, diags, `"soon" is no duration`)
	for _, ttl := range []string{"90", "90s", "1h30m", "30d"} {
		_, diags = body(t, vault.AppRoleName, `role_name = "a"
		store = "c"
		token_ttl = "`+ttl+`"`)
		require.False(t, diags.HasErrors(), diags)
	}
}
