package service

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

type part struct {
	log       *[]string
	name      string
	startFail error
	stopFail  error
}

func (p part) Start(context.Context) error {
	*p.log = append(*p.log, "start "+p.name)
	return p.startFail
}

func (p part) Stop(context.Context) error {
	*p.log = append(*p.log, "stop "+p.name)
	return p.stopFail
}

func TestGroupRollsBackAPartialStart(t *testing.T) {
	var log []string
	g := NewGroup(Member{"a", part{log: &log, name: "a", stopFail: errors.New("late")}}, Member{"b", part{log: &log, name: "b"}},
		Member{"c", part{log: &log, name: "c", startFail: errors.New("no port")}})
	err := g.Start(context.Background())
	require.ErrorContains(t, err, "c: no port")
	require.ErrorContains(t, err, "a: late")
	require.Equal(t, []string{"start a", "start b", "start c", "stop b", "stop a"}, log)
	require.NoError(t, g.Stop(context.Background()), "stopping again is harmless")
	require.Len(t, log, 5)
}

func TestGroupStopsInReverse(t *testing.T) {
	var log []string
	g := NewGroup(Member{"a", part{log: &log, name: "a"}}, Member{"b", part{log: &log, name: "b"}})
	require.NoError(t, g.Stop(context.Background()), "before the start")
	require.NoError(t, g.Start(context.Background()))
	require.NoError(t, g.Stop(context.Background()))
	require.Equal(t, []string{"start a", "start b", "stop b", "stop a"}, log)
}
