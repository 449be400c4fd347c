package replication

import "github.com/vivarium-env/vivarium/pkg/store"

// Paths behind Prefix.
const (
	pathSelf      = "self"      // GET: Identity
	pathStream    = "stream"    // POST Request: lines
	pathPosition  = "position"  // POST Report, once a second
	pathTemplates = "templates" // GET templates?hash=: template
	pathState     = "state"     // GET state?environment=&step=&hash=: state, when it is still that one
	pathKey       = "key"       // POST keyRequest: wrappedKey
	pathMark      = "mark"      // GET mark?partition=&seq=: Placed
	pathOrders    = "orders/"   // POST orders/NAME: what an order answers
)

// Kinds of a stream's lines.
const (
	kindHello = "hello" // Identity; the first line
	kindBeat  = "beat"  // Beat; once a second, and behind every round of pages
	kindPage  = "page/" // page, with the partition's number, so that a line need not be read to know whose it is
	kindStop  = "stop"  // Stop, of one partition; the others go on
)

// page is a run of entries of one partition, with those of the states that they name that are still the newest.
type page struct {
	Entries []store.Entry `json:"entries"`
	States  []state       `json:"states,omitempty"`
}

// state of a step, sealed as it lies in the store.
type state struct {
	Environment string `json:"environment"`
	Step        string `json:"step"`
	Hash        string `json:"hash"`
	Data        []byte `json:"data"`
}

// template of the source, whole.
type template struct {
	Record  store.TemplateRecord `json:"record"`
	Archive []byte               `json:"archive"`
}

// keyRequest asks for the cluster's key, wrapped for a key pair that is made for this alone.
type keyRequest struct {
	Public []byte `json:"public"`
}

// wrappedKey is the answer.
type wrappedKey struct {
	Wrapped []byte `json:"wrapped"`
}
