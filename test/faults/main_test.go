package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vivarium-env/vivarium/test/servers"
)

// program is the binary under test.
var program string

// long is the form of make test-faults.
var long = os.Getenv("VIVARIUM_FAULTS") == "long"

func TestMain(m *testing.M) {
	if err := build(); err != nil {
		fmt.Fprintln(os.Stderr, "build the program:", err)
		os.Exit(1)
	}
	servers.Main(m)
}

// build makes the program in the user's cache folder, where the next run replaces it, unless a built one is named. The
// short form looks for races, too; the long one wants the speed.
func build() (err error) {
	if program = os.Getenv("VIVARIUM_FAULTS_PROGRAM"); program != "" {
		return nil
	}
	if !long {
		program, err = servers.BuiltForRaces(context.Background())
		return err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	program = filepath.Join(cache, "vivarium", "test", "vivarium-faults")
	cmd := exec.Command("go", "build", "-o", program, "../../cmd/vivarium")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return cmd.Run()
}

// seed of everything random here: given, or of this moment.
func seed(t *testing.T) uint64 {
	if text := os.Getenv("VIVARIUM_FAULTS_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("VIVARIUM_FAULTS_SEED is no number: %q", text)
		}
		return n
	}
	return uint64(time.Now().UnixNano()) % 1_000_000
}

// choice is a source of random numbers and what it began with.
type choice struct {
	*rand.Rand
	seed uint64
}

func newChoice(t *testing.T) choice {
	s := seed(t)
	t.Logf("seed %d", s)
	return choice{rand.New(rand.NewPCG(s, 0)), s}
}

func (c choice) between(least, most time.Duration) time.Duration {
	return least + time.Duration(c.Int64N(int64(most-least)+1))
}

// either takes the first in the long form, and the second in the short one.
func either[T any](inLong, inShort T) T {
	if long {
		return inLong
	}
	return inShort
}

// row is one line of the table at the end.
type row struct {
	fault                      string
	rounds, operations, kills  int
	steps, lost, doubled, odds int
	took                       time.Duration
	note                       string
}

// TestFaults does one fault after the other and prints the table.
func TestFaults(t *testing.T) {
	var table []row
	for _, one := range []struct {
		name string
		test func(*testing.T, *row)
	}{
		{"kills", killMatrix},
		{"broker-restart", brokerRestarts},
		{"broker-cut", brokerCutOff},
		{"broker-resets", connectionsReset},
		{"store-full", storeFull},
		{"frozen-server", frozenServer},
		{"forged-results", forgedResults},
		{"side-killed", sidesKilled},
		{"side-cut", sidesCut},
		{"side-altered", sideAltered},
		{"side-raced", sidesRaced},
		{"dual-killed", dualKilled},
		{"dual-cut", dualCut},
		{"dual-switched", dualSwitched},
	} {
		t.Run(one.name, func(t *testing.T) {
			r := row{fault: one.name}
			begun := time.Now()
			defer func() {
				r.took = time.Since(begun)
				if t.Failed() {
					r.note = "FAILED " + r.note
				}
				table = append(table, r)
			}()
			one.test(t, &r)
		})
	}
	fmt.Fprint(os.Stderr, render(table))
}

func render(table []row) string {
	var b strings.Builder
	line := func(cells ...any) { fmt.Fprintf(&b, "%-16s %7v %11v %7v %6v %5v %8v %8v  %v\n", cells...) }
	line("FAULT", "ROUNDS", "OPERATIONS", "STEPS", "KILLS", "LOST", "DOUBLED", "SECONDS", "")
	for _, r := range table {
		line(r.fault, r.rounds, r.operations, r.steps, r.kills, r.lost, r.doubled, int(r.took.Seconds()), r.note)
	}
	return b.String()
}
