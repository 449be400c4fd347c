package telemetry

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestJSONLinesBelowTheLevelAreLeftOut(t *testing.T) {
	var out bytes.Buffer
	log, err := NewLogger(&out, "warn", "json")
	require.NoError(t, err)
	log.Info("quiet")
	log.Warn("loud", "environment", "notes")

	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line))
	require.Equal(t, "loud", line["msg"])
	require.Equal(t, "notes", line["environment"])
}

func TestText(t *testing.T) {
	var out bytes.Buffer
	log, err := NewLogger(&out, "debug", "text")
	require.NoError(t, err)
	log.Debug("hello", "n", 1)
	require.Contains(t, out.String(), "level=DEBUG msg=hello n=1")
}

func TestUnknownLevelAndFormat(t *testing.T) {
	_, err := NewLogger(nil, "loud", "text")
	require.ErrorContains(t, err, "loud")
	_, err = NewLogger(nil, "info", "xml")
	require.ErrorContains(t, err, "xml")
}
