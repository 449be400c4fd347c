package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// signals turns SIGINT and SIGTERM into contexts: the first ends soft (take nothing new, finish what runs), the second
// ends hard as well (cancel what runs), and a third one ends the process on the spot.
func signals(parent context.Context) (soft, hard context.Context, release func()) {
	soft, drain := context.WithCancel(parent)
	hard, stop := context.WithCancel(parent)
	received := make(chan os.Signal, 3)
	signal.Notify(received, syscall.SIGINT, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		for _, act := range []func(){drain, stop, func() { os.Exit(exitFailed) }} {
			select {
			case <-received:
				act()
			case <-done:
				return
			}
		}
	}()
	return soft, hard, func() {
		signal.Stop(received)
		close(done)
		drain()
		stop()
	}
}
