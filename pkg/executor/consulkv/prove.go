package consulkv

import (
	"context"
	"maps"
	"slices"

	"github.com/hashicorp/consul/api"
)

// prove makes sure that keys which were not found are not there. Consul leaves out of a list, and for a request without a
// token does not even say so, what the token may not read; asked for a key by its name, it does say.
func (w *work) prove(ctx context.Context, p place, found tree) error {
	names := slices.DeleteFunc(w.known(p), func(key string) bool { return found[key] != nil })
	for some := range slices.Chunk(names, maxOperations) {
		if err := w.readable(ctx, p, some); err != nil {
			return err
		}
	}
	return nil
}

// known are the keys at the place that the block or the last apply names.
func (w *work) known(p place) []string {
	known := map[string]bool{}
	if p == w.here {
		keys, _ := w.block.keys() // a block that could never be applied has none
		for name := range keys {
			if wellFormed(name) {
				known[p.folder()+name] = true
			}
		}
	}
	if p == w.before.place {
		maps.Copy(known, w.before.keys)
	}
	return slices.Sorted(maps.Keys(known))
}

// readable asks for many keys at once; each that the token may read is answered for, whether it is there or not. Where
// that does not work out, it asks for one after the other, which tells why.
func (w *work) readable(ctx context.Context, p place, keys []string) error {
	bounded, cancel := context.WithTimeout(ctx, w.options.Timeout)
	defer cancel()
	ops := make(api.KVTxnOps, len(keys))
	for i, key := range keys {
		ops[i] = &api.KVTxnOp{Verb: api.KVGetOrEmpty, Key: key}
	}
	ok, answer, _, err := w.consul.KV().Txn(ops, w.query(bounded, p))
	if err == nil && ok && len(answer.Results) == len(keys) {
		return nil
	}
	for _, key := range keys {
		if err := w.readableAlone(ctx, p, key); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) readableAlone(ctx context.Context, p place, key string) error {
	bounded, cancel := context.WithTimeout(ctx, w.options.Timeout)
	defer cancel()
	if _, _, err := w.consul.KV().Get(key, w.query(bounded, p)); err != nil {
		return w.fault(ctx, p, toRead, err)
	}
	return nil
}
