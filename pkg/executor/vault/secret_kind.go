package vault

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// SecretName is the name of the kind that keeps a secret in a KV version 2 engine.
const SecretName = "vault_secret"

const (
	defaultLength   = 32
	defaultAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	maxLength       = 4096
	// maxGenerated leaves room among the 64 notes that Vault keeps for a secret.
	maxGenerated = 60
	maxName      = 100
)

// secretBlock is the block as a request brings it.
type secretBlock struct {
	Mount    string                     `json:"mount"`
	Path     string                     `json:"path"`
	Data     map[string]string          `json:"data"`
	Generate map[string]json.RawMessage `json:"generate"`

	place   place
	recipes map[string]recipe
}

// recipe is how a value is made.
type recipe struct {
	Length   *int   `json:"length"`
	Alphabet string `json:"alphabet"`
	// Rotate is any text; another one than that of the value that is kept asks for a new value.
	Rotate string `json:"rotate"`
}

// Kind is a block with a path, values that are given and values that are to be generated.
func (*secretExecutor) Kind() template.Kind {
	return template.Kind{
		Name: SecretName, Adopts: true,
		Idempotent: true,
		Retry:      retries, Timeout: 5 * time.Minute,
		Spec: hcldec.ObjectSpec{
			"mount": text("mount", false),
			"path":  text("path", true),
			"data":  template.SensitiveSpec(&hcldec.AttrSpec{Name: "data", Type: cty.Map(cty.String)}),
			"generate": &hcldec.ValidateSpec{
				Wrapped: &hcldec.AttrSpec{Name: "generate", Type: cty.DynamicPseudoType},
				Func:    checkGenerate,
			},
		},
		Outputs: map[string]template.Output{
			"mount":   {Type: cty.String, Description: "The mount of the KV version 2 engine."},
			"path":    {Type: cty.String, Description: "The path of the secret below the mount."},
			"version": {Type: cty.Number, Description: "The version of the secret, which grows when a value changes."},
			"data":    {Type: cty.Map(cty.String), Sensitive: true, Description: "The values by name, those given and those generated."},
		},
	}
}

var recipeAttributes = []string{"alphabet", "length", "rotate"}

// checkGenerate finds mistakes in what is known already when the template is compiled; a conversion would silently drop
// a misspelt name.
func checkGenerate(v cty.Value) hcl.Diagnostics {
	v, _ = v.UnmarkDeep()
	if v.IsNull() || !v.IsKnown() {
		return nil
	}
	if !v.CanIterateElements() || !(v.Type().IsObjectType() || v.Type().IsMapType()) {
		return mistake("Wrong type", "\"generate\" has to be an object: generate = { password = { length = 32 } }.")
	}
	for name, how := range v.AsValueMap() {
		if how.IsNull() || !how.IsKnown() {
			continue
		}
		if !how.Type().IsObjectType() && !how.Type().IsMapType() {
			return mistake("Wrong type", fmt.Sprintf("What %q is generated with has to be an object such as { length = 32 }.", name))
		}
		for attribute, given := range how.AsValueMap() {
			if !slices.Contains(recipeAttributes, attribute) {
				return mistake("Unknown attribute", fmt.Sprintf("%q of what %q is generated with is not known; there are %s.",
					attribute, name, strings.Join(recipeAttributes, ", ")))
			}
			if want := (map[bool]cty.Type{true: cty.Number, false: cty.String})[attribute == "length"]; given.IsKnown() && !given.IsNull() && given.Type() != want {
				return mistake("Wrong type", fmt.Sprintf("%q of what %q is generated with has to be a %s.", attribute, name, want.FriendlyName()))
			}
		}
	}
	return nil
}

func decodeSecret(r executor.Request) (b secretBlock, err error) {
	if err = decode(r, SecretName, &b); err != nil {
		return b, err
	}
	if b.place, err = cleanPlace(r, "mount", b.Mount, "path", b.Path); err != nil {
		return b, err
	}
	if len(b.Generate) > maxGenerated {
		return b, invalid(r, "generate makes more than %d values: use a second secret for the others; see the block", maxGenerated)
	}
	b.recipes = map[string]recipe{}
	for name, how := range b.Generate {
		if _, given := b.Data[name]; given {
			return b, invalid(r, "%q is among both data and generate; keep one of them in the block", name)
		}
		if b.recipes[name], err = decodeRecipe(r, name, how); err != nil {
			return b, err
		}
	}
	return b, nil
}

func decodeRecipe(r executor.Request, name string, how json.RawMessage) (recipe, error) {
	var c recipe
	reader := json.NewDecoder(bytes.NewReader(how))
	reader.DisallowUnknownFields()
	if name == "" || len(name) > maxName || reader.Decode(&c) != nil {
		return c, invalid(r, "generate.%s has to be an object of length (a whole number), alphabet and rotate (strings), with a name of at most %d bytes, in the block",
			name, maxName)
	}
	if c.Length == nil {
		c.Length = new(int)
		*c.Length = defaultLength
	}
	if *c.Length < 1 || *c.Length > maxLength {
		return c, invalid(r, "generate.%s.length is %d, it has to be from 1 to %d in the block", name, *c.Length, maxLength)
	}
	c.Alphabet = orElse(c.Alphabet, defaultAlphabet)
	letters := []rune(c.Alphabet)
	slices.Sort(letters)
	if len(slices.Compact(letters)) < 2 {
		return c, invalid(r, "generate.%s.alphabet needs two different characters at least in the block", name)
	}
	return c, nil
}
