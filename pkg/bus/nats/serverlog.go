package nats

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
)

// serverLog gives the embedded server's warnings and errors to slog; what else it says is of no interest.
type serverLog struct {
	log   *slog.Logger
	error atomic.Pointer[string]
	ready atomic.Bool
}

// Noticef implements server.Logger.
func (l *serverLog) Noticef(format string, v ...any) { l.log.Debug(fmt.Sprintf(format, v...)) }

// Warnf implements server.Logger. What it warns of before it is ready are its settings, which are ours and no user's.
func (l *serverLog) Warnf(format string, v ...any) {
	level := slog.LevelDebug
	if l.ready.Load() {
		level = slog.LevelWarn
	}
	l.log.Log(context.Background(), level, fmt.Sprintf(format, v...))
}

// Fatalf implements server.Logger. It does not end the process: the start fails instead.
func (l *serverLog) Fatalf(format string, v ...any) { l.Errorf(format, v...) }

// Errorf implements server.Logger.
func (l *serverLog) Errorf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	l.error.Store(&text)
	l.log.Error(text)
}

// Debugf implements server.Logger.
func (l *serverLog) Debugf(string, ...any) {}

// Tracef implements server.Logger.
func (l *serverLog) Tracef(string, ...any) {}

// last is the last error, if there was one.
func (l *serverLog) last() string {
	if text := l.error.Load(); text != nil {
		return *text
	}
	return ""
}
