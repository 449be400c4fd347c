package vault

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// AppRoleName is the name of the kind that keeps a role of the AppRole method, and a secret id for it.
const AppRoleName = "vault_approle"

type appRoleBlock struct {
	Mount         string   `json:"mount"`
	RoleName      string   `json:"role_name"`
	Policies      []string `json:"policies"`
	TokenTTL      string   `json:"token_ttl"`
	TokenMaxTTL   string   `json:"token_max_ttl"`
	TokenPeriod   string   `json:"token_period"`
	TokenNumUses  int      `json:"token_num_uses"`
	SecretIDTTL   string   `json:"secret_id_ttl"`
	SecretIDUses  int      `json:"secret_id_num_uses"`
	SecretIDCIDRs []string `json:"secret_id_bound_cidrs"`
	TokenCIDRs    []string `json:"token_bound_cidrs"`
	// Rotate is any text; another one than that of the last apply asks for a new secret id.
	Rotate string `json:"rotate"`
	storeBlock

	place    place
	settings map[string]any // of the role, as Vault names them
}

// Kind is a block with a role's settings and the place where its secret id is kept.
func (*appRoleExecutor) Kind() template.Kind {
	return template.Kind{
		Name:       AppRoleName,
		Idempotent: true,
		Retry:      retries, Timeout: 5 * time.Minute,
		Spec: storeSpec(hcldec.ObjectSpec{
			"mount": text("mount", false), "role_name": text("role_name", true), "policies": texts("policies"),
			"token_ttl": duration("token_ttl"), "token_max_ttl": duration("token_max_ttl"), "token_period": duration("token_period"),
			"token_num_uses": count("token_num_uses"), "secret_id_ttl": duration("secret_id_ttl"), "secret_id_num_uses": count("secret_id_num_uses"),
			"secret_id_bound_cidrs": texts("secret_id_bound_cidrs"), "token_bound_cidrs": texts("token_bound_cidrs"),
			"rotate": text("rotate", false),
		}),
		Outputs: storeOutputs(map[string]template.Output{
			"mount":     {Type: cty.String, Description: "Where the AppRole method is enabled."},
			"role_name": {Type: cty.String, Description: "The name of the role."},
			"role_id":   {Type: cty.String, Description: "The id of the role, one half of a login."},
			"secret_id": {Type: cty.String, Sensitive: true, Description: "The other half of a login."},
		}),
	}
}

func count(name string) hcldec.Spec { return &hcldec.AttrSpec{Name: name, Type: cty.Number} }

func decodeAppRole(r executor.Request) (b appRoleBlock, err error) {
	if err = decode(r, AppRoleName, &b); err != nil {
		return b, err
	}
	if b.Mount, err = cleanPath(r, "mount", orElse(b.Mount, "approle")); err != nil {
		return b, err
	}
	if b.RoleName, err = cleanName(r, "role_name", b.RoleName); err != nil {
		return b, err
	}
	b.RoleName = strings.ToLower(b.RoleName) // as Vault does
	if b.place, err = b.storeBlock.place(r); err != nil {
		return b, err
	}
	b.settings, err = b.role(r)
	return b, err
}

// role are the settings of the role; what is not given is as Vault has it by default, so that drift is undone.
func (b appRoleBlock) role(r executor.Request) (map[string]any, error) {
	settings := map[string]any{
		"bind_secret_id": true, "token_policies": sorted(b.Policies), "token_num_uses": int64(b.TokenNumUses),
		"secret_id_num_uses":    int64(b.SecretIDUses),
		"secret_id_bound_cidrs": sorted(b.SecretIDCIDRs), "token_bound_cidrs": sorted(b.TokenCIDRs),
	}
	for name, given := range map[string]string{"token_ttl": b.TokenTTL, "token_max_ttl": b.TokenMaxTTL, "token_period": b.TokenPeriod, "secret_id_ttl": b.SecretIDTTL} {
		n, err := seconds(given)
		if err != nil {
			return nil, invalid(r, "%s: %s; see the block", name, err)
		}
		settings[name] = n
	}
	return settings, nil
}

// same tells whether a role that Vault has is as the settings say.
func same(settings, found map[string]any) bool {
	for name, want := range settings {
		if !sameSetting(want, found[name]) {
			return false
		}
	}
	return true
}

func sameSetting(want, found any) bool {
	switch want := want.(type) {
	case []string:
		return slices.Equal(want, stringsOf(found))
	case int64:
		return want == int64(number(found))
	default:
		return want == found
	}
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(append([]string{}, list...))
}

func stringsOf(v any) []string {
	list, _ := v.([]any)
	texts := make([]string, 0, len(list))
	for _, e := range list {
		texts = append(texts, fmt.Sprint(e))
	}
	return sorted(texts)
}
