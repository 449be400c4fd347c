package nats

import (
	"math/rand/v2"
	"time"
)

// jitter is up to d, so that those who wait for the same thing do not ask at the same moment.
func jitter(d time.Duration) time.Duration { return rand.N(d + 1) }
