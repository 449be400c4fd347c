// Command app is what tests run in containers: a server that does as its environment says. It is static and needs nothing of
// its image.
//
//	app                 serves HTTP on PORT (8080) until SIGTERM, and finishes what it has begun
//	app check URL       exits 0 when the URL answers 200, else 1 with what it answered: a health check for an image without a shell
//
// Variables: SAY is printed at the start, on standard output, and COMPLAIN on standard error; EXIT ends it at once with that
// code; UNHEALTHY makes /health answer 503 with its text; GATE is a file without which it is not healthy; VERSION is what / answers.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "check" {
		os.Exit(check(os.Args[2]))
	}
	if text := os.Getenv("SAY"); text != "" {
		fmt.Println(text)
	}
	if text := os.Getenv("COMPLAIN"); text != "" {
		fmt.Fprintln(os.Stderr, text)
	}
	if code, err := strconv.Atoi(os.Getenv("EXIT")); err == nil {
		os.Exit(code)
	}
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(url string) int {
	client := http.Client{Timeout: 2 * time.Second}
	answer, err := client.Get(url)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer func() { _ = answer.Body.Close() }()
	text, _ := io.ReadAll(answer.Body)
	fmt.Printf("%s: %s\n", answer.Status, text)
	if answer.StatusCode != http.StatusOK {
		return 1
	}
	return 0
}

func serve() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	server := &http.Server{Addr: ":" + port, Handler: handler(), ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	fmt.Println("serving on port", port)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	fmt.Println("stopping")
	orderly, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return server.Shutdown(orderly)
}

func handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, os.Getenv("VERSION")) })
	mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {
		if why := sick(); why != "" {
			http.Error(w, why, http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprint(w, "well")
	})
	mux.HandleFunc("/env", func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(w, os.Getenv(r.FormValue("name"))) })
	mux.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, r.FormValue("path")) })
	mux.HandleFunc("/say", func(_ http.ResponseWriter, r *http.Request) { fmt.Println(r.FormValue("text")) })
	mux.HandleFunc("/exit", func(_ http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(r.FormValue("code"))
		os.Exit(code)
	})
	return mux
}

// sick tells why the program is not healthy, "" when it is.
func sick() string {
	if why := os.Getenv("UNHEALTHY"); why != "" {
		return why
	}
	if gate := os.Getenv("GATE"); gate != "" {
		if _, err := os.Stat(gate); errors.Is(err, os.ErrNotExist) {
			return "the gate is not there yet"
		}
	}
	return ""
}
