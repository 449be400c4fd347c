package ports

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// The ports that are looked at.
const (
	lowest = 12000
	many   = 20000
)

// Free are n different ports on which nobody listens now, on any address of the machine.
func Free(n int) ([]int, error) {
	found := make([]int, 0, n)
	for tried := 0; len(found) < n; tried++ {
		port := lowest + rand.IntN(many)                    //nolint:gosec // nobody has to guess it
		l, err := net.Listen("tcp", ":"+strconv.Itoa(port)) //nolint:gosec // for a moment, to see whether it is free everywhere
		if err != nil {
			if tried > 10*n+100 {
				return nil, fmt.Errorf("looking for a free port: %w", err)
			}
			continue
		}
		// All are held until all are found, so that they differ.
		defer func() { _ = l.Close() }()
		found = append(found, port)
	}
	return found, nil
}

// One is Free for a single port.
func One() (int, error) {
	found, err := Free(1)
	if err != nil {
		return 0, err
	}
	return found[0], nil
}
