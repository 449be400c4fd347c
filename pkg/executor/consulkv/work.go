package consulkv

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"

	"github.com/hashicorp/consul/api"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// work is one request under way.
type work struct {
	*Executor
	consul *api.Client
	r      executor.Request
	block  block
	here   place
	mark   uint64
	before previous
	taking map[string]bool // keys, in full, that are to be taken over
}

func (e *Executor) begin(ctx context.Context, r executor.Request) (*work, error) {
	if err := ctx.Err(); err != nil {
		return nil, fault.From(err)
	}
	b, err := decode(r)
	if err != nil {
		return nil, err
	}
	consul, err := e.client()
	if err != nil {
		return nil, err
	}
	w := &work{Executor: e, consul: consul, r: r, block: b, here: b.place(), mark: markOf(r.TaskRef), before: previously(r)}
	return w, w.adopting()
}

// hiddenFlag is set beside the mark of a key whose value nobody may see, so that this is known when the value is read again.
const hiddenFlag = 1

// markOf is what the flags of a step's keys hold, less hiddenFlag. It fits into the 53 bits that survive a program that reads numbers as
// floating point, as Consul's own pages do, and is never 0, which is what keys have that nobody gave flags.
func markOf(t event.TaskRef) uint64 {
	sum := sha256.Sum256([]byte("vivarium/" + Name + "\x00" + t.Environment + "\x00" + t.Step))
	return binary.BigEndian.Uint64(sum[:])&(1<<52-1)&^hiddenFlag | 1<<52
}

// flags are those that a key with the value gets.
func (w *work) flags(value []byte) uint64 {
	if w.hidden(value) {
		return w.mark | hiddenFlag
	}
	return w.mark
}

// previous is what the last successful apply put out.
type previous struct {
	place
	keys  map[string]bool
	index uint64
}

// previously is empty where nothing was put out, or it can't be read: the marks tell enough then.
func previously(r executor.Request) previous {
	var outputs struct {
		Prefix     string   `json:"prefix"`
		Datacenter string   `json:"datacenter"`
		Keys       []string `json:"keys"`
		Index      uint64   `json:"modify_index"`
	}
	if len(r.Outputs) == 0 || json.Unmarshal(r.Outputs, &outputs) != nil {
		return previous{}
	}
	p := previous{place: place{outputs.Prefix, outputs.Datacenter}, keys: make(map[string]bool, len(outputs.Keys)), index: outputs.Index}
	for _, key := range outputs.Keys {
		p.keys[key] = true
	}
	return p
}

// places are where keys of the step may lie: where the block says, and where the last apply wrote them.
func (w *work) places() []place {
	var places []place
	if w.here.usable() {
		places = append(places, w.here)
	}
	if w.before.usable() && w.before.place != w.here {
		places = append(places, w.before.place)
	}
	return places
}

// mine tells whose a key is. The mark is gone when somebody has written the key anew by other means; it is still ours
// when it has been there, without a break, since we last wrote it.
func (w *work) mine(p place, pair *api.KVPair) bool {
	return pair.Flags&^hiddenFlag == w.mark || w.adopts(pair) ||
		w.before.place == p && w.before.keys[pair.Key] && pair.CreateIndex <= w.before.index
}

// tree is what Consul has below a prefix, by full key.
type tree map[string]*api.KVPair

func (w *work) owned(p place, found tree) []*api.KVPair {
	var owned []*api.KVPair
	for _, key := range slices.Sorted(maps.Keys(found)) {
		if w.mine(p, found[key]) {
			owned = append(owned, found[key])
		}
	}
	return owned
}

// read asks the leader for all keys below the prefix, foreign ones too.
func (w *work) read(ctx context.Context, p place) (tree, error) {
	bounded, cancel := context.WithTimeout(ctx, w.options.Timeout)
	defer cancel()
	pairs, meta, err := w.consul.KV().List(p.folder(), w.query(bounded, p))
	if err != nil {
		return nil, w.fault(ctx, p, toRead, err)
	}
	if meta.ResultsFilteredByACLs {
		return nil, w.denied(p, toRead, nil)
	}
	found := make(tree, len(pairs))
	for _, pair := range pairs {
		found[pair.Key] = pair
	}
	return found, nil
}

func (w *work) query(ctx context.Context, p place) *api.QueryOptions {
	return (&api.QueryOptions{Datacenter: p.datacenter, RequireConsistent: true}).WithContext(ctx)
}

func (w *work) outputs(found tree, want wanted) executor.Outputs {
	keys := slices.Sorted(maps.Keys(want))
	var index uint64
	for _, key := range keys {
		index = max(index, found[key].ModifyIndex)
	}
	if keys == nil {
		keys = []string{}
	}
	outputs := executor.Outputs{}
	for name, v := range map[string]any{
		"prefix": w.here.prefix, "datacenter": w.here.datacenter, "keys": keys, "modify_index": index,
	} {
		text, _ := json.Marshal(v) // strings and numbers always have a JSON form
		outputs[name] = executor.Value{Value: text, Sensitive: w.r.Holds(text)}
	}
	return outputs
}
