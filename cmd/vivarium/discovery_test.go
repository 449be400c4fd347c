package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestServersAreFoundByTheirDataFolder(t *testing.T) {
	dir := t.TempDir()
	_, err := findServer(dir)
	require.ErrorContains(t, err, "no server runs on the data folder")

	held, err := takeLock(context.Background(), dir)
	require.NoError(t, err)
	require.NoError(t, writeDiscovery(dir, discovery{API: "http://127.0.0.1:1", Bus: "nats://secret@127.0.0.1:2", PID: 7}))
	found, err := findServer(dir)
	require.NoError(t, err)
	require.Equal(t, "http://127.0.0.1:1", found.API)
	info, err := os.Stat(filepath.Join(dir, discoveryFile))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "the bus's address holds a token")

	require.NoError(t, held.release())
	_, err = findServer(dir)
	require.ErrorContains(t, err, "(process 7) is gone", "a killed server leaves its file but not its lock")

	require.NoError(t, removeDiscovery(dir))
	require.NoError(t, removeDiscovery(dir))
	_, err = findServer(dir)
	require.ErrorContains(t, err, "no server runs")
}

func TestDamagedAddressFile(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, discoveryFile), []byte("{"), 0o600))
	_, err := findServer(dir)
	require.ErrorContains(t, err, "damaged")
}

func TestTwoServersDoNotShareAFolder(t *testing.T) {
	dir := t.TempDir()
	first, err := takeLock(context.Background(), dir)
	require.NoError(t, err)
	_, err = takeLock(context.Background(), dir)
	require.ErrorContains(t, err, "in use by process "+strconv.Itoa(os.Getpid()))
	require.NoError(t, first.release())
	second, err := takeLock(context.Background(), dir)
	require.NoError(t, err)
	require.NoError(t, second.release())
}

func TestFlagsWinOverVariablesWinOverTheDataFolder(t *testing.T) {
	f := newFake(map[string]string{"VIVARIUM_SERVER": "http://variable"})
	x := &connection{c: f.cli, server: "http://flag"}
	require.Equal(t, "http://flag", x.or(x.server, "VIVARIUM_SERVER", "x"))
	x.server = ""
	require.Equal(t, "http://variable", x.or(x.server, "VIVARIUM_SERVER", "x"))
	require.Equal(t, "x", x.or(x.bus, "VIVARIUM_BUS", "x"))
}

func TestASecondaryTakesNoCommands(t *testing.T) {
	dir := t.TempDir()
	held, err := takeLock(context.Background(), dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, held.release()) }()
	require.NoError(t, writeDiscovery(dir, discovery{API: "http://127.0.0.1:1", Cluster: "west"}))
	f := newFake(nil)
	require.Equal(t, exitFailed, f.run(context.Background(), []string{"env", "cancel", "x", "--data-dir", dir}))
	require.Contains(t, f.stderr.String(), `cluster "west"`)
}
