package container

import (
	"encoding/hex"
	"encoding/json"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// fingerprintPurpose keeps these apart from whatever else is made with the cluster's key.
const fingerprintPurpose = "container"

// Fingerprint tells whether what runs was made of the same: it covers whose it is, and the parts (the block, the image's
// id). It is 64 hexadecimal digits, keyed with the cluster's key, so that it may stand in a label or a name: who sees it there
// can't try out passwords against it. Another key gives other fingerprints, and so new containers.
func Fingerprint(box *secret.Box, r executor.Request, parts ...any) (string, error) {
	if box == nil {
		return "", fault.New(fault.Retry, fault.SecretUnavailable, "the runner has no key of its cluster yet; it gets one from the server that welcomes it")
	}
	text, err := json.Marshal(append([]any{r.Environment, r.Step}, parts...))
	if err != nil {
		return "", fault.Wrap(err, fault.GiveUp, fault.Internal, "what %s is made of can't be written as JSON", r.Step)
	}
	return hex.EncodeToString(box.MAC(fingerprintPurpose, text)), nil
}
