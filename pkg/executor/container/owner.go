package container

import (
	"regexp"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/executor"
)

// LabelPrefix is what all labels that say whose a container is begin with.
const LabelPrefix = "vivarium."

// Labels of everything that a target makes for a step.
const (
	LabelEnvironment = LabelPrefix + "environment"
	LabelStep        = LabelPrefix + "step"
	// LabelReplica counts from 1.
	LabelReplica = LabelPrefix + "replica"
	// LabelHash is the Fingerprint of what the container was made of.
	LabelHash = LabelPrefix + "hash"
)

// Owner are the labels that say whose something is; they may be longer than a target's labels can be.
func Owner(r executor.Request) map[string]string {
	return map[string]string{LabelEnvironment: r.Environment, LabelStep: r.Step}
}

var stepForm = regexp.MustCompile(`^[^.\[]+\.[^.\[]+\.([^\[]+)(?:\[(.*)\])?$`)

// Service is the resource's name with its instance ("api", "api-eu"), fit for a name in DNS: by it others on the same
// network, or in the same namespace, reach the replicas. Two instances can have the same when their keys differ only in what
// such a name can't have.
func Service(r executor.Request) string {
	m := stepForm.FindStringSubmatch(r.Step)
	if m == nil {
		return Slug(r.Step)
	}
	return Slug(m[1] + "-" + strings.Trim(m[2], `"`))
}

// slugBytes leaves room for what a target adds, within the 63 bytes of a name in DNS.
const slugBytes = 40

// Slug makes of a text what a name in DNS can be: small letters, digits and single hyphens within, at most 40 bytes.
func Slug(text string) string {
	var b strings.Builder
	for _, c := range strings.ToLower(text) {
		switch {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			b.WriteRune(c)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	slug := b.String()
	if slug = strings.Trim(slug[:min(len(slug), slugBytes)], "-"); slug == "" {
		return "x"
	}
	return slug
}
