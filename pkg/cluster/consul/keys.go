package consul

import (
	"context"

	"github.com/hashicorp/consul/api"
)

// Key is a value that all sides agree on.
type Key struct {
	Value []byte
	// Index is what Swap compares; 0: there is no such key.
	Index uint64
}

// Read reads a key of a datacentre ("" for the agent's own) as its leader has it. One that is not there is no error.
func (c *Client) Read(ctx context.Context, datacentre, key string) (k Key, err error) {
	err = c.call(ctx, datacentre, func(ctx context.Context) error {
		pair, _, err := c.api.KV().Get(key, (&api.QueryOptions{Datacenter: datacentre, RequireConsistent: true}).WithContext(ctx))
		if err != nil || pair == nil {
			return err
		}
		k = Key{Value: pair.Value, Index: pair.ModifyIndex}
		return nil
	})
	return k, err
}

// Swap writes a key if nobody has since its Index was read; done is false when somebody has.
func (c *Client) Swap(ctx context.Context, datacentre, key string, value []byte, index uint64) (done bool, err error) {
	err = c.call(ctx, datacentre, func(ctx context.Context) error {
		done, _, err = c.api.KV().CAS(&api.KVPair{Key: key, Value: value, ModifyIndex: index},
			(&api.WriteOptions{Datacenter: datacentre}).WithContext(ctx))
		return err
	})
	return done, err
}
