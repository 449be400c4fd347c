package authority

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Raced: somebody else has claimed the epoch, or a higher one.
const Raced fault.Code = "claim-lost"

// Keys is what all sides share: a key of a place (in Consul, a datacentre), read as its leader has it, and swapped if nobody
// has written it since. It is safe for concurrent use.
type Keys interface {
	Get(ctx context.Context, place string) (value []byte, index uint64, err error)
	Swap(ctx context.Context, place string, value []byte, index uint64) (done bool, err error)
}

// Claim says who acts, under which epoch.
type Claim struct {
	Epoch uint64    `json:"epoch"`
	Side  string    `json:"side"`
	By    string    `json:"by"` // server
	At    time.Time `json:"at"`
}

// Read finds the highest claim in the places that answer; the others are named. None is the zero Claim. All are asked at once: one that
// is cut off keeps nobody from hearing of the others.
func Read(ctx context.Context, keys Keys, places []string) (highest Claim, silent []string) {
	places = sorted(places)
	claims, errs := make([]Claim, len(places)), make([]error, len(places))
	var all sync.WaitGroup
	for i, place := range places {
		all.Go(func() { claims[i], _, errs[i] = read(ctx, keys, place) })
	}
	all.Wait()
	for i, c := range claims {
		if errs[i] != nil {
			silent = append(silent, places[i])
		} else if c.Epoch > highest.Epoch {
			highest = c
		}
	}
	return highest, silent
}

func read(ctx context.Context, keys Keys, place string) (c Claim, index uint64, err error) {
	value, index, err := keys.Get(ctx, place)
	if err != nil || len(value) == 0 {
		return c, index, err
	}
	if err := json.Unmarshal(value, &c); err != nil {
		return c, index, fault.Wrap(err, fault.GiveUp, fault.Invalid, "the key of the epoch in %s is not what a server has written", place)
	}
	return c, index, nil
}

// Write claims an epoch in all places, one after the other in the same order for everybody: who gets the first that both
// reach gets it, and the other one is told at the same place. A majority of the places has to be had, unless override is
// given. What was written before a claim was lost is left: it has an epoch that nobody acts under.
func Write(ctx context.Context, keys Keys, places []string, c Claim, override bool) error {
	places = sorted(places)
	if len(places) == 0 {
		return nil
	}
	var had int
	var missing []string
	var errs []error
	for _, place := range places {
		err := write(ctx, keys, place, c)
		switch {
		case fault.Is(err, Raced):
			return err
		case err != nil:
			missing, errs = append(missing, place), append(errs, err)
		default:
			had++
		}
	}
	if had*2 > len(places) || override {
		return nil
	}
	return fault.Wrap(errors.Join(errs...), fault.Wait, fault.Unavailable,
		"only %d of %d places could be told (%s can't be reached): another side may claim epoch %d too; reach them, or say --force",
		had, len(places), strings.Join(missing, ", "), c.Epoch)
}

func write(ctx context.Context, keys Keys, place string, c Claim) error {
	for {
		there, index, err := read(ctx, keys, place)
		switch {
		case err != nil:
			return err
		case there.Epoch == c.Epoch && there.Side == c.Side && there.By == c.By:
			return nil // written already, by an attempt whose answer was lost
		case there.Epoch >= c.Epoch:
			return fault.New(fault.Reject, Raced, "%s has epoch %d since %s: it acts, and this side does not", there.Side, there.Epoch, there.At.Format(time.RFC3339))
		}
		value, err := json.Marshal(c)
		if err != nil {
			return err
		}
		done, err := keys.Swap(ctx, place, value, index)
		if err != nil || done {
			return err
		}
	}
}

func sorted(places []string) []string {
	all := slices.Clone(places)
	slices.Sort(all)
	return slices.Compact(all)
}
