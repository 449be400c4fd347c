package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// address that every role listens on.
const address = ":8080"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "notes:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, env func(string) string) error {
	handler, err := role(args, env)
	if err != nil {
		return err
	}
	fmt.Println("notes", args[0], "listens on", address)
	return serve(ctx, handler)
}

// role makes what answers the requests.
func role(args []string, env func(string) string) (http.Handler, error) {
	if len(args) != 1 {
		return nil, errors.New("usage: notes database | api | web")
	}
	switch args[0] {
	case "database":
		return newDatabase(env)
	case "api":
		return newAPI(env)
	case "web":
		return newWeb(env)
	}
	return nil, fmt.Errorf("%q is no role: there are database, api and web", args[0])
}

// serve answers requests until ctx ends, and lets those under way finish.
func serve(ctx context.Context, handler http.Handler) error {
	server := &http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		return server.Shutdown(drain)
	}
}

// required reads variables that have to be set, in their order.
func required(env func(string) string, names ...string) ([]string, error) {
	values := make([]string, len(names))
	for i, name := range names {
		if values[i] = env(name); values[i] == "" {
			return nil, fmt.Errorf("the variable %s has to be set", name)
		}
	}
	return values, nil
}

// answer writes v as JSON.
func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // who has gone away needs no answer
}

// refuse answers with an error.
func refuse(w http.ResponseWriter, status int, err error) {
	answer(w, status, map[string]string{"error": err.Error()})
}
