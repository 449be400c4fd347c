package main

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/bootstrap"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// withTLS is the parameter of the template meta that is said once.
const withTLS = "tls"

// keepTLS has the parameter be as the service at an address was made, where it is not given: the template's default would be another one for a service that
// is older, which could not get there, since it would have to reach its Vault, sealed, where that is not yet. Given otherwise it is refused.
func keepTLS(api string, known []template.Parameter, given map[string]json.RawMessage) error {
	scheme, _, ok := strings.Cut(api, "://")
	has := slices.ContainsFunc(known, func(p template.Parameter) bool { return p.Name == withTLS })
	if !ok || !has {
		return nil // of somebody else's template
	}
	made := scheme == "https"
	text, said := given[withTLS]
	if !said && !made {
		given[withTLS] = json.RawMessage("false")
	}
	var wanted bool
	if !said || json.Unmarshal(text, &wanted) != nil || wanted == made {
		return nil
	}
	return fault.New(fault.Reject, fault.Conflict, "%s was made with %s=%t, and can't be moved over: leave that out, or destroy it and raise it again", bootstrap.Environment, withTLS, made)
}
