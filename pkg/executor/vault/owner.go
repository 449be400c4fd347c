package vault

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// mark is the key of the custom metadata that says whose a secret is.
const mark = "vivarium"

// metadataBytes is how long a value of custom metadata may be.
const metadataBytes = 512

// owner names the environment and step; a name too long for Vault's metadata is cut and told apart by its hash.
func (s session) owner() string {
	name := s.r.Environment + "/" + s.r.Step
	if len(name) <= metadataBytes {
		return name
	}
	return strings.ToValidUTF8(name[:metadataBytes-len(":")-2*sha256.Size], "") + ":" + fingerprint(name)
}

// ours returns an error unless the secret carries our mark.
func (s session) ours(p place, r record) error {
	switch who := r.custom[mark]; who {
	case s.owner():
		return nil
	case "":
		return fault.New(fault.GiveUp, fault.Exists,
			"the secret %q of %s was not made by %s but by somebody who is no environment (its custom metadata %q is not set): take another path, or remove that secret first",
			p, s.target(), s.r.Step, mark)
	default:
		return fault.New(fault.GiveUp, fault.Exists,
			"the secret %q of %s belongs to %q: take another path for %s, or remove the secret there", p, s.target(), who, s.r.Step)
	}
}

// fingerprint is the SHA-256 of parts, in hexadecimal digits.
func fingerprint(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		_, _ = h.Write([]byte(p))
		_, _ = h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil))
}
