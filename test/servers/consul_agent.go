package servers

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// prepare writes what the server reads: loopback only, ports of its own, and the quickest elections that it offers.
func (c *Consul) prepare() error {
	for _, name := range []string{"home", "data"} {
		if err := os.MkdirAll(filepath.Join(c.dir, name), 0o700); err != nil {
			return err
		}
	}
	if c.options.Datacenter == "" {
		c.options.Datacenter = "dc1"
	}
	type object = map[string]any
	configuration := object{
		"server": true, "bootstrap_expect": max(1, c.options.Expect), "datacenter": c.options.Datacenter,
		"node_name": "vivarium-" + strconv.Itoa(c.ports.http), "data_dir": filepath.Join(c.dir, "data"),
		"bind_addr": "127.0.0.1", "client_addr": strings.Join(append([]string{"127.0.0.1"}, c.options.Listen...), " "),
		"ports": object{
			"http": c.ports.http, "server": c.ports.server, "serf_lan": c.ports.lan, "serf_wan": c.ports.wan,
			"https": -1, "grpc": -1, "grpc_tls": -1, "dns": -1,
		},
		"log_level": "warn", "disable_update_check": true, "leave_on_terminate": false,
		"performance": object{"raft_multiplier": 1}, "connect": object{"enabled": false},
	}
	if files := c.options.TLS; files != nil {
		configuration["ports"].(object)["https"] = c.ports.https
		configuration["tls"] = object{"https": object{"cert_file": files.Certificate, "key_file": files.Key, "ca_file": files.ClientCA, "verify_incoming": true}}
	}
	if c.options.AdvertiseWAN != "" {
		configuration["advertise_addr_wan"] = c.options.AdvertiseWAN
	}
	if token := c.options.ManagementToken; token != "" {
		configuration["acl"] = object{
			"enabled": true, "default_policy": "deny", "tokens": object{"initial_management": token, "agent": token},
		}
	}
	if c.options.Uninitialised {
		configuration["acl"] = object{"enabled": true, "default_policy": "deny", "enable_token_persistence": true}
	}
	text, err := json.MarshalIndent(configuration, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(c.dir, "consul.json"), text, 0o600)
}

// answers tells whether the server reads its keys as a leader does, or only answers when it is to have no leader.
func (c *Consul) answers(ctx context.Context) error {
	asked := "/v1/kv/ready?consistent"
	if c.options.Expect > 1 {
		asked = "/v1/agent/self"
	}
	err := c.ask(ctx, http.MethodGet, asked, nil, http.StatusOK, http.StatusNotFound, c.unasked())
	if err != nil || c.options.Uninitialised {
		return err
	}
	return c.askVersion(ctx)
}

// unasked is the answer of a leader to whom nobody may say anything yet.
func (c *Consul) unasked() int {
	if c.options.Uninitialised {
		return http.StatusForbidden
	}
	return http.StatusOK
}

func (c *Consul) askVersion(ctx context.Context) error {
	var self struct {
		Config struct{ Version string }
	}
	err := c.ask(ctx, http.MethodGet, "/v1/agent/self", &self, http.StatusOK)
	c.version = self.Config.Version
	return err
}

// JoinWAN makes this server and the other, of another datacentre, answer for each other's datacentre.
func (c *Consul) JoinWAN(ctx context.Context, other *Consul) error {
	if err := c.ask(ctx, http.MethodPut, fmt.Sprintf("/v1/agent/join/127.0.0.1:%d?wan=true", other.ports.wan), nil, http.StatusOK); err != nil {
		return err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := c.ask(ctx, http.MethodGet, "/v1/kv/ready?consistent&dc="+url.QueryEscape(other.options.Datacenter), nil,
			http.StatusOK, http.StatusNotFound)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the datacentres do not answer for each other (%w): %w", err, ctx.Err())
		}
	}
}

// ask expects one of the statuses, and decodes the answer into out unless that is nil.
func (c *Consul) ask(ctx context.Context, method, path string, out any, statuses ...int) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "http://"+c.Address()+path, nil)
	if err != nil {
		return err
	}
	request.Header.Set("X-Consul-Token", c.options.ManagementToken)
	request.Close = true // no goroutine of a kept connection is left behind
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	for _, status := range statuses {
		if answer.StatusCode == status {
			if out == nil {
				return nil
			}
			return json.Unmarshal(body, out)
		}
	}
	return fmt.Errorf("%s %s: %s: %s", method, path, answer.Status, body)
}
