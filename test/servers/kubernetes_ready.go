package servers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// run starts one of Kubernetes' own programs inside, under its name.
func (k *Kubernetes) run(part string, args ...string) error {
	return k.runOther(part, k.program(part), args...)
}

func (k *Kubernetes) runOther(part, program string, args ...string) error {
	log, err := os.Create(k.log(part))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := k.room.command(context.Background(), program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = k.dir, log, log
	k.running[part], err = startChild(cmd)
	return err
}

func (k *Kubernetes) log(part string) string { return filepath.Join(k.dir, "log", part) }

func (k *Kubernetes) ended(part string) error {
	return fmt.Errorf("%s ended while the cluster started (%w); it said:\n%s", part, k.running[part].err, lastWords(k.log(part)))
}

// wait asks the API server until it answers and, where there is a condition, that is so.
func (k *Kubernetes) wait(ctx context.Context, what, path string, so func(body []byte) bool) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		body, err := k.ask(ctx, path)
		if err == nil && (so == nil || so(body)) {
			return nil
		}
		for part, process := range k.running {
			if !process.running() {
				return k.ended(part)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s (%w): %w; the API server said:\n%s\nthe kubelet:\n%s", what, ctx.Err(), err,
				lastWords(k.log("kube-apiserver")), lastWords(k.log("kubelet")))
		}
	}
}

// ready waits for the node, and for what every pod is given.
func (k *Kubernetes) ready(ctx context.Context) error {
	if err := k.wait(ctx, "the service account of pods", "/api/v1/namespaces/default/serviceaccounts/default", nil); err != nil {
		return err
	}
	if err := k.wait(ctx, "the node", "/api/v1/nodes/"+nodeName, nodeReady); err != nil {
		return err
	}
	body, err := k.ask(ctx, "/version")
	if err != nil {
		return err
	}
	var version struct {
		GitVersion string `json:"gitVersion"`
	}
	err = json.Unmarshal(body, &version)
	k.version = strings.TrimPrefix(version.GitVersion, "v")
	return err
}

func nodeReady(body []byte) bool {
	var node struct {
		Status struct {
			Conditions []struct{ Type, Status string }
		}
	}
	if json.Unmarshal(body, &node) != nil {
		return false
	}
	for _, c := range node.Status.Conditions {
		if c.Type == "Ready" {
			return c.Status == "True"
		}
	}
	return false
}

// ask gets a path of the API as the administrator.
func (k *Kubernetes) ask(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	ca, err := os.ReadFile(k.pki("ca.crt"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, errors.New("the cluster's authority has no certificate")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{*k.cert}, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+k.Address()+path, nil)
	if err != nil {
		return nil, err
	}
	request.Close = true // no goroutine of a kept connection is left behind
	answer, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", path, answer.Status, body)
	}
	return body, err
}
