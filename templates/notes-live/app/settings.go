package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// settings are what Consul says now.
type settings struct {
	Title   string `json:"title"`
	Longest int    `json:"longest"` // of a note, in bytes
}

// consul is where the settings are.
type consul struct{ keys string }

func newConsul(env func(string) string) (consul, error) {
	values, err := required(env, "CONSUL_HTTP_ADDR", "SETTINGS_PREFIX")
	if err != nil {
		return consul{}, err
	}
	address := values[0]
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	return consul{keys: strings.TrimSuffix(address, "/") + "/v1/kv/" + strings.Trim(values[1], "/") + "/"}, nil
}

// read asks Consul for all settings at once, so that they fit each other.
func (c consul) read(ctx context.Context) (settings, error) {
	var entries []struct {
		Key   string
		Value []byte
	}
	if err := call(ctx, http.MethodGet, c.keys+"?recurse=true", "", nil, &entries); err != nil {
		return settings{}, fmt.Errorf("reading the settings: %w", err)
	}
	values := map[string]string{}
	for _, e := range entries {
		values[e.Key[strings.LastIndex(e.Key, "/")+1:]] = string(e.Value)
	}
	longest, err := strconv.Atoi(values["longest"])
	if err != nil || longest <= 0 || values["title"] == "" {
		return settings{}, fmt.Errorf("the settings in Consul are not whole: title is %q and longest %q", values["title"], values["longest"])
	}
	return settings{Title: values["title"], Longest: longest}, nil
}
