package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// wire is an HTTP connection that costs next to nothing, so that what is measured is the server.
type wire struct {
	conn   net.Conn
	reader *bufio.Reader
}

func dial(address string) (*wire, error) {
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return nil, err
	}
	return &wire{conn: conn, reader: bufio.NewReaderSize(conn, 64<<10)}, nil
}

func (w *wire) close() { _ = w.conn.Close() }

// get asks for a path, with a tag that the client has unless it is empty, and reads the answer away.
func (w *wire) get(path, tag string) (status int, err error) {
	request := "GET " + path + " HTTP/1.1\r\nHost: bench\r\n"
	if tag != "" {
		request += "If-None-Match: " + tag + "\r\n"
	}
	if _, err := io.WriteString(w.conn, request+"\r\n"); err != nil {
		return 0, err
	}
	line, err := w.reader.ReadString('\n')
	if err != nil || len(line) < 12 {
		return 0, errors.Join(err, fmt.Errorf("no answer: %q", line))
	}
	if status, err = strconv.Atoi(line[9:12]); err != nil {
		return 0, err
	}
	length, chunked := 0, false
	for {
		if line, err = w.reader.ReadString('\n'); err != nil {
			return 0, err
		}
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch {
		case name == "":
			return status, w.discard(length, chunked)
		case strings.EqualFold(name, "Content-Length"):
			if length, err = strconv.Atoi(value); err != nil {
				return 0, err
			}
		case strings.EqualFold(name, "Transfer-Encoding"):
			chunked = true
		}
	}
}

func (w *wire) discard(length int, chunked bool) error {
	for chunked {
		line, err := w.reader.ReadString('\n')
		if err != nil {
			return err
		}
		size, err := strconv.ParseInt(strings.TrimSpace(line), 16, 32)
		if err != nil {
			return err
		}
		if _, err := w.reader.Discard(int(size) + 2); err != nil || size == 0 {
			return err
		}
	}
	_, err := w.reader.Discard(length)
	return err
}

// rate is how many requests four connections get answered for each second of processor time that this process uses, which what else
// runs on the machine changes little.
func rate(address, path, tag string, d time.Duration) (float64, error) {
	var mu sync.Mutex
	var all sync.WaitGroup
	var failed error
	total, begin, used := 0, time.Now(), processorTime()
	for range 4 {
		all.Go(func() {
			n, err := asking(address, path, tag, begin.Add(d))
			mu.Lock()
			defer mu.Unlock()
			total, failed = total+n, errors.Join(failed, err)
		})
	}
	all.Wait()
	return float64(total) / (processorTime() - used).Seconds(), failed
}

func asking(address, path, tag string, until time.Time) (n int, err error) {
	w, err := dial(address)
	if err != nil {
		return 0, err
	}
	defer w.close()
	for ; time.Now().Before(until); n++ {
		status, err := w.get(path, tag)
		if err != nil || status >= 400 || tag != "" && status != 304 {
			return n, errors.Join(err, fmt.Errorf("%s: %d", path, status))
		}
	}
	return n, nil
}
