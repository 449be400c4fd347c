package vault

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// PolicyName is the name of the kind that keeps an ACL policy.
const PolicyName = "vault_policy"

// policyMark begins the first line of a policy of ours, a comment to Vault; the owner follows, quoted.
const policyMark = "# vivarium: "

// sensitiveMark ends that line when the rules hold a secret.
const sensitiveMark = " " + secret.Shown

type policyExecutor struct{ shared }

var _ executor.Targeter = (*policyExecutor)(nil)

type policyBlock struct {
	Name  string `json:"name"`
	Rules string `json:"rules"`
}

// Kind is a block with the name of a policy and its rules.
func (*policyExecutor) Kind() template.Kind {
	return template.Kind{
		Name:       PolicyName,
		Idempotent: true,
		Retry:      retries, Timeout: 5 * time.Minute,
		Spec: hcldec.ObjectSpec{"name": text("name", true), "rules": text("rules", true)},
		Outputs: map[string]template.Output{
			"name": {Type: cty.String, Description: "The name of the policy, for tokens and roles."},
		},
	}
}

func decodePolicy(r executor.Request) (b policyBlock, err error) {
	if err = decode(r, PolicyName, &b); err != nil {
		return b, err
	}
	if b.Name, err = cleanName(r, "name", b.Name); err != nil {
		return b, err
	}
	if b.Name != strings.ToLower(b.Name) || b.Name == "root" || b.Name == "default" {
		return b, invalid(r, "name = %q can't be used: Vault keeps names of policies in lower case, and has root and default itself; see the block", b.Name)
	}
	return b, nil
}

// policy is one that Vault has.
type policy struct {
	exists bool
	text   string
}

func policyPath(name string) string { return "sys/policies/acl/" + name }

func (s session) policy(ctx context.Context, name string) (policy, error) {
	found, err := s.get(ctx, "reading a policy", policyPath(name))
	if err != nil || found == nil {
		return policy{}, err
	}
	rules, _ := found.Data["policy"].(string)
	return policy{exists: true, text: rules}, nil
}

// owner is who the first line names, "" for nobody.
func (p policy) owner() string {
	first, _, _ := strings.Cut(p.text, "\n")
	quoted, found := strings.CutPrefix(strings.TrimSpace(first), policyMark)
	if !found {
		return ""
	}
	quoted, _ = strconv.QuotedPrefix(quoted)
	who, _ := strconv.Unquote(quoted)
	return who
}

// sensitive tells whether nobody may see the rules, as its writer knew.
func (p policy) sensitive() bool {
	first, _, _ := strings.Cut(p.text, "\n")
	return strings.HasPrefix(first, policyMark) && strings.HasSuffix(first, sensitiveMark)
}

// marked is the text of a policy of ours.
func (s session) marked(rules string) string {
	first := policyMark + strconv.Quote(s.owner())
	if s.r.Mask(rules) != rules {
		first += sensitiveMark
	}
	return first + "\n" + rules
}

func (s session) ourPolicy(name string, p policy) error {
	switch who := p.owner(); who {
	case s.owner():
		return nil
	case "":
		return fault.New(fault.GiveUp, fault.Exists,
			"the policy %q of %s was not made by %s but by somebody who is no environment: take another name, or remove that policy first", name, s.target(), s.r.Step)
	default:
		return fault.New(fault.GiveUp, fault.Exists,
			"the policy %q of %s belongs to %q: take another name for that of %s, or remove the policy there", name, s.target(), who, s.r.Step)
	}
}

// Apply writes the policy unless it is there as it should be.
func (e *policyExecutor) Apply(ctx context.Context, r executor.Request) (executor.Outputs, error) {
	s, err := e.begin(ctx, r)
	if err != nil {
		return nil, err
	}
	b, err := decodePolicy(r)
	if err != nil {
		return nil, err
	}
	now, err := s.policy(ctx, b.Name)
	if err != nil {
		return nil, err
	}
	if now.exists {
		if err := s.ourPolicy(b.Name, now); err != nil {
			return nil, err
		}
	}
	if want := s.marked(b.Rules); now.text != want {
		if _, err := s.put(ctx, "writing a policy", policyPath(b.Name), map[string]any{"policy": want}); err != nil {
			return nil, err
		}
		s.say(fmt.Sprintf("wrote the policy %q", b.Name))
	}
	if before := outputText(r, "name"); before != "" && before != b.Name {
		if err := s.dropPolicy(ctx, before); err != nil && fault.From(err).Code != fault.Exists {
			return nil, err
		}
	}
	return executor.Outputs{"name": output(r, b.Name, false)}, nil
}

// dropPolicy removes a policy of ours and sees that it is gone.
func (s session) dropPolicy(ctx context.Context, name string) error {
	now, err := s.policy(ctx, name)
	if err != nil || !now.exists {
		return err
	}
	if err := s.ourPolicy(name, now); err != nil {
		return err
	}
	if err := s.drop(ctx, "removing a policy", policyPath(name)); err != nil {
		return err
	}
	if now, err = s.policy(ctx, name); err == nil && now.exists {
		return fault.New(fault.Retry, fault.OrphanSuspected, "the policy %q was removed from %s, and is there again", name, s.target())
	}
	s.say(fmt.Sprintf("removed the policy %q", name))
	return err
}

// Destroy removes the policy.
func (e *policyExecutor) Destroy(ctx context.Context, r executor.Request) error {
	s, err := e.begin(ctx, r)
	if err != nil {
		return err
	}
	b, err := decodePolicy(r)
	if err != nil {
		return err
	}
	for _, name := range b.names(r) {
		if err := s.dropPolicy(ctx, name); err != nil {
			if r.Outputs != nil || fault.From(err).Code != fault.Exists {
				return err
			}
			s.say(fmt.Sprintf("the policy %q belongs to somebody else and stays", name))
		}
	}
	return nil
}

// names are those under which a policy of the step can be.
func (b policyBlock) names(r executor.Request) []string {
	if before := outputText(r, "name"); before != "" && before != b.Name {
		return []string{b.Name, before}
	}
	return []string{b.Name}
}
