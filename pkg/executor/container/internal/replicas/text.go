package replicas

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// ShownBytes is how much of a value people see.
const ShownBytes = 200

// Cut shortens a text to about n bytes.
func Cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "…"
}

// Shown are two values for people; hidden is what was a secret.
func Shown(r executor.Request, before, after string, hidden bool) (shownBefore, shownAfter string, sensitive bool) {
	if !hidden && r.Mask(before) == before && r.Mask(after) == after {
		return Cut(before, ShownBytes), Cut(after, ShownBytes), false
	}
	if before != "" {
		before = secret.Shown
	}
	if after != "" {
		after = secret.Shown
	}
	return before, after, true
}

// Short is the beginning of an image's id, as Docker's tools show it.
func Short(id string) string {
	id = strings.TrimPrefix(id, "sha256:")
	return id[:min(12, len(id))]
}

// Prefix before what a replica prints tells the replicas apart where there are several.
func Prefix(b container.Block, f Replica) string {
	if b.Replicas < 2 {
		return ""
	}
	return fmt.Sprintf("[%d] ", f.Number())
}

// JSON writes maps and lists of strings, which can always be written; keys come in order.
func JSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(text)
}

// Words are a command line for people, "" for none.
func Words(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return JSON(words)
}
