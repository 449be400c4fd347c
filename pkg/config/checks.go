package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var name = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?$`)

func anything(string) error { return nil }

func required(text string) error {
	if text == "" {
		return errors.New("must not be empty")
	}
	return nil
}

func oneOf(words ...string) func(string) error {
	return func(text string) error {
		if slices.Contains(words, text) {
			return nil
		}
		return fmt.Errorf("has to be one of %s", strings.Join(words, ", "))
	}
}

var sizes = regexp.MustCompile(`^[1-9][0-9]*(k|M|G|T|Ki|Mi|Gi|Ti)?$`)

func quantity(text string) error {
	if !sizes.MatchString(text) {
		return errors.New("has to be a size such as 500Mi or 2Gi")
	}
	return nil
}

func optionalName(text string) error {
	if text == "" {
		return nil
	}
	return clusterName(text)
}

func clusterName(text string) error {
	if !name.MatchString(text) {
		return errors.New("has to be 1 to 63 letters, digits, dots, hyphens or underscores, beginning and ending with a letter or digit")
	}
	return nil
}

// A pool's name becomes a word of a queue's name and of a topic, so it can hold no dot.
func poolName(text string) error {
	if !name.MatchString(text) || strings.Contains(text, ".") {
		return errors.New("pool names have 1 to 63 letters, digits, hyphens or underscores, beginning and ending with a letter or digit")
	}
	return nil
}

// The messages about a bus never repeat its URL, which can hold a password; url.Parse's error would.
func busURL(text string) error {
	if text == "embedded" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return errors.New("is not a URL; percent-encode special characters of user and password")
	}
	if !slices.Contains([]string{"amqp", "amqps", "nats", "consul"}, u.Scheme) {
		return errors.New("has to be embedded, or a URL that begins with amqp://, amqps://, nats:// or consul://")
	}
	if u.Host == "" {
		return errors.New("has no host; write it as amqp://user:password@host:5672/vhost")
	}
	return nil
}

func issuedBy(text string) error {
	if text == "" {
		return nil
	}
	if engine, path, _ := strings.Cut(strings.TrimPrefix(text, "vault:"), "/"); !strings.HasPrefix(text, "vault:") || engine == "" || path == "" {
		return errors.New("has to be vault: and a path that issues credentials, such as vault:rabbitmq/creds/vivarium")
	}
	return nil
}

func storeURL(text string) error {
	if text == "sqlite" || (strings.HasPrefix(text, "sqlite:") && strings.TrimPrefix(text, "sqlite:") != "") {
		return nil
	}
	// The message never repeats the address, which can hold a password.
	for _, scheme := range []string{"arangodb://", "arangodb+tls://", "consul://"} {
		if rest, ok := strings.CutPrefix(text, scheme); ok {
			if _, database, ok := strings.Cut(rest, "/"); ok && database != "" {
				return nil
			}
			return errors.New("has no database; write it as arangodb://user:password@host:8529/database")
		}
	}
	return errors.New("has to be sqlite, sqlite: followed by the path of a file, or begin with arangodb://, arangodb+tls:// or consul://")
}

func hostPort(text string) error {
	_, port, err := net.SplitHostPort(text)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return errors.New("has to be host:port with a port from 0 to 65535, such as 127.0.0.1:8090")
	}
	return nil
}

func optionalHostPort(text string) error {
	if text == "" {
		return nil
	}
	return hostPort(text)
}

func optionalAbsolute(text string) error {
	if text != "" && !filepath.IsAbs(text) {
		return errors.New("has to be an absolute path")
	}
	return nil
}

// The message never repeats the address: somebody may have put the token into it.
func consulAddress(text string) error {
	if text == "" {
		return nil
	}
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		scheme, rest = "http", text
	}
	if (scheme != "http" && scheme != "https") || rest == "" || strings.Contains(rest, "@") {
		return errors.New("has to be host:port of Consul's HTTP API, or begin with http:// or https://")
	}
	return nil
}

func keyText(text string) error {
	if text == "" {
		return nil
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != 32 {
		return errors.New("has to be the base64 text of 32 bytes, as `openssl rand -base64 32` makes it")
	}
	return nil
}

func tokenText(text string) error {
	if text != "" && len(text) < 16 {
		return errors.New("has to have at least 16 characters, as `openssl rand -base64 32` makes them")
	}
	return nil
}

func httpURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" {
		return errors.New("has to be http:// or https:// with host and port, and nothing else")
	}
	return nil
}
