package consulkv

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/hashicorp/consul/api"

	"github.com/vivarium-env/vivarium/pkg/event"
)

const (
	// maxOperations of one transaction.
	maxOperations = 64
	// maxBody is how many bytes of JSON one transaction may have: Consul takes 512 KiB unless it is configured otherwise.
	maxBody = 500 << 10
	// operationBytes is more than one operation's JSON has besides its key and value.
	operationBytes = 256
)

// write makes the changes in transactions, and stops at the first that met a key which is no longer as it was read:
// contested is that key.
func (w *work) write(ctx context.Context, p place, changes []change, done *tally) (contested string, err error) {
	all := len(changes)
	for len(changes) > 0 {
		n := batch(changes)
		outcome, err := w.commit(ctx, p, changes[:n])
		if err != nil || !outcome.done {
			return outcome.contested, err
		}
		for _, c := range changes[:n] {
			if c.remove {
				done.removed++
			} else {
				done.written++
			}
		}
		changes = changes[n:]
		if w.r.Progress != nil {
			w.r.Progress(event.Progress{Message: fmt.Sprintf("keys below %s", w.r.Mask(p.folder())), Done: all - len(changes), Total: all})
		}
	}
	return "", nil
}

// batch is how many of the changes, one at least, go into one transaction.
func batch(changes []change) int {
	size := 0
	for n, c := range changes {
		if size += c.size(); n == maxOperations || size > maxBody && n > 0 {
			return n
		}
	}
	return len(changes)
}

// size is at least how many bytes of JSON the change takes.
func (c change) size() int {
	key, _ := json.Marshal(c.key)
	return operationBytes + len(key) + base64.StdEncoding.EncodedLen(len(c.value))
}

// verdict of a transaction: done, or not because of one key.
type verdict struct {
	done      bool
	contested string
}

// commit makes all of the changes or none. It goes past the API's own call for transactions, whose errors do not tell
// the status.
func (w *work) commit(ctx context.Context, p place, changes []change) (verdict, error) {
	if len(changes) == 1 && changes[0].size() > maxBody {
		return w.alone(ctx, p, changes[0]) // as base64 it does not fit into a transaction
	}
	bounded, cancel := context.WithTimeout(ctx, w.options.Timeout)
	defer cancel()
	ops := make(api.TxnOps, len(changes))
	for i, c := range changes {
		ops[i] = &api.TxnOp{KV: c.operation()}
	}
	var answer api.TxnResponse
	_, err := w.consul.Raw().Write("/v1/txn", ops, &answer, (&api.WriteOptions{Datacenter: p.datacenter}).WithContext(bounded))
	var status api.StatusError
	switch {
	case err == nil:
		return verdict{done: true}, nil
	case !errors.As(err, &status) || status.Code != http.StatusConflict:
		return verdict{}, w.fault(ctx, p, toWrite, err)
	}
	// The transaction was rolled back. Its errors say why in words only; made alone, the change that failed is answered
	// by a status: that the token may not, or that the key is another one now.
	failed := changes[0]
	if json.Unmarshal([]byte(status.Body), &answer) == nil && len(answer.Errors) > 0 && answer.Errors[0].OpIndex < len(changes) {
		failed = changes[answer.Errors[0].OpIndex]
	}
	if _, err := w.alone(ctx, p, failed); err != nil {
		return verdict{}, err
	}
	return verdict{contested: failed.key}, nil
}

func (c change) operation() *api.KVTxnOp {
	if c.remove {
		return &api.KVTxnOp{Verb: api.KVDeleteCAS, Key: c.key, Index: c.index}
	}
	return &api.KVTxnOp{Verb: api.KVCAS, Key: c.key, Value: c.value, Flags: c.flags, Index: c.index}
}

// alone makes one change without a transaction.
func (w *work) alone(ctx context.Context, p place, c change) (verdict, error) {
	bounded, cancel := context.WithTimeout(ctx, w.options.Timeout)
	defer cancel()
	options := (&api.WriteOptions{Datacenter: p.datacenter}).WithContext(bounded)
	pair := &api.KVPair{Key: c.key, Value: c.value, Flags: c.flags, ModifyIndex: c.index}
	call := w.consul.KV().CAS
	if c.remove {
		call = w.consul.KV().DeleteCAS
	}
	done, _, err := call(pair, options)
	if err != nil {
		return verdict{}, w.fault(ctx, p, toWrite, err)
	}
	return verdict{done: done, contested: c.key}, nil
}
