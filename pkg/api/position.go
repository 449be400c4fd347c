package api

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/store"
)

// positionPattern is what ids of lines look like in a stream.
const positionPattern = `^[0-9]+(-[0-9]+-[0-9]+)?$`

// logPosition is where a stream of lines goes on: behind the line with the id. An exact one, as streams of a single step
// give for the lines of attempts, also knows attempt and number of that line, so that what was pruned meanwhile is counted.
type logPosition struct {
	id              uint64
	exact           bool
	attempt, number int
}

func parsePosition(text string) (logPosition, bool) {
	var p logPosition
	parts := strings.Split(text, "-")
	id, err := strconv.ParseUint(parts[0], 10, 64)
	if err != nil || len(parts) != 1 && len(parts) != 3 {
		return p, false
	}
	p.id = id
	if len(parts) == 1 {
		return p, true
	}
	attempt, err := strconv.ParseUint(parts[1], 10, 31)
	if err != nil {
		return p, false
	}
	number, err := strconv.ParseUint(parts[2], 10, 31)
	p.exact, p.attempt, p.number = true, int(attempt), int(number) //nolint:gosec // 31 bits
	return p, err == nil
}

// eventID is the id of a line's event.
func eventID(r store.LogRecord, exact bool) string {
	if exact && r.Attempt > 0 {
		return fmt.Sprintf("%d-%d-%d", r.ID, r.Attempt, r.Number)
	}
	return strconv.FormatUint(r.ID, 10)
}

// position is where a client goes on: a stream that was interrupted knows better than the address it was opened with.
func (k *call) position() logPosition {
	if ids := k.list("Last-Event-ID"); len(ids) > 0 {
		p, _ := parsePosition(ids[0]) // take has checked it
		return p
	}
	return logPosition{id: k.number("after")}
}
