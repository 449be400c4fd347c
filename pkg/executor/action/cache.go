package action

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// leftoverAge is when a file that was never finished belongs to a runner that is dead.
const leftoverAge = 24 * time.Hour

// apps keeps several steps from fetching one app at once, and remembers which files in the cache have been looked at.
// The zero value is ready, and safe for concurrent use.
type apps struct {
	mu    sync.Mutex
	turns map[string]chan struct{} // by hash; holds a token while nobody fetches
	seen  map[string]stamp         // by path
}

// stamp changes when somebody writes to a file.
type stamp struct {
	size     int64
	modified time.Time
}

// alone waits until nobody else of this process fetches the app; the function that it returns lets the next one.
func (c *apps) alone(ctx context.Context, sum string) (done func(), err error) {
	c.mu.Lock()
	turn := c.turns[sum]
	if turn == nil {
		if c.turns == nil {
			c.turns = map[string]chan struct{}{}
		}
		turn = make(chan struct{}, 1)
		turn <- struct{}{}
		c.turns[sum] = turn
	}
	c.mu.Unlock()
	select {
	case <-turn:
		return func() { turn <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// whole tells whether a file of the cache has the content that its name says. It is read once, and again when it was
// written to: a folder that runners share is nobody's alone.
func (c *apps) whole(at, sum string) bool {
	info, err := os.Stat(at)
	if err != nil {
		return false
	}
	now := stamp{info.Size(), info.ModTime()}
	c.mu.Lock()
	known, looked := c.seen[at]
	c.mu.Unlock()
	if looked && known == now {
		return true
	}
	if hashOf(at) != sum {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == nil {
		c.seen = map[string]stamp{}
	}
	c.seen[at] = now
	return true
}

// hashOf is "" for a file that can't be read.
func hashOf(at string) string {
	file, err := os.Open(at)
	if err != nil {
		return ""
	}
	defer file.Close() //nolint:errcheck // only read from
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return ""
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// dropLeftovers removes what runners left that were killed while they fetched.
func dropLeftovers(dir string) {
	names, _ := filepath.Glob(filepath.Join(dir, "new-*")) // the pattern is valid
	for _, name := range names {
		if info, err := os.Stat(name); err == nil && time.Since(info.ModTime()) > leftoverAge {
			_ = os.Remove(name) // it costs only space
		}
	}
}
