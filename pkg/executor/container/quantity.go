package container

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is written as Go writes durations: "90s".
type Duration time.Duration

// UnmarshalJSON takes a string, or null for 0.
func (d *Duration) UnmarshalJSON(text []byte) error {
	var s *string
	if err := json.Unmarshal(text, &s); err != nil || s == nil {
		return err
	}
	parsed, err := time.ParseDuration(*s)
	if err != nil || parsed <= 0 {
		return mistake(fmt.Sprintf("%q is no duration such as \"90s\" or \"2m\"", *s))
	}
	*d = Duration(parsed)
	return nil
}

// MarshalJSON writes what UnmarshalJSON reads.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// Size is a number of bytes, written as "256Mi", "1G" or "1048576".
type Size int64

// UnmarshalJSON takes a string, or null for 0.
func (s *Size) UnmarshalJSON(text []byte) error {
	var given *string
	if err := json.Unmarshal(text, &given); err != nil || given == nil {
		return err
	}
	parsed, err := ParseSize(*given)
	*s = parsed
	return err
}

// MarshalJSON writes what UnmarshalJSON reads.
func (s Size) MarshalJSON() ([]byte, error) {
	return json.Marshal(strconv.FormatInt(int64(s), 10))
}

// The units of sizes: those of 1024 first, since "M" is also the end of no "Mi".
var units = []struct {
	suffix string
	bytes  float64
}{
	{"Ki", 1 << 10}, {"Mi", 1 << 20}, {"Gi", 1 << 30}, {"Ti", 1 << 40},
	{"k", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12},
}

// ParseSize reads a number of bytes with one of Ki, Mi, Gi, Ti, k, M, G and T, or without.
func ParseSize(text string) (Size, error) {
	number, unit := text, 1.0
	for _, u := range units {
		if before, ok := strings.CutSuffix(text, u.suffix); ok {
			number, unit = before, u.bytes
			break
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !(n > 0) || n*unit < 1 || n*unit > math.MaxInt64/2 {
		return 0, mistake(fmt.Sprintf("%q is no size such as \"256Mi\" or \"1Gi\"", text))
	}
	return Size(n * unit), nil
}

// mistake is an error that may be shown, once it is masked.
type mistake string

func (m mistake) Error() string { return string(m) }
