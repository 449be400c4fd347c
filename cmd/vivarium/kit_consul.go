package main

import (
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/executor/consulkv"
)

// consulOptions reads the variables that Consul's own tools read. ok is false where none says which Consul it is: then
// this runner leaves consul_kv to others.
func consulOptions(variables map[string]string, log *slog.Logger) (o consulkv.Options, ok bool, err error) {
	o = consulkv.Options{
		Address: variables["CONSUL_HTTP_ADDR"], Token: variables["CONSUL_HTTP_TOKEN"],
		Namespace: variables["CONSUL_NAMESPACE"], Partition: variables["CONSUL_PARTITION"], Log: log,
		TLS: consulkv.TLS{CAFile: variables["CONSUL_CACERT"], CAPath: variables["CONSUL_CAPATH"], CertFile: variables["CONSUL_CLIENT_CERT"],
			KeyFile: variables["CONSUL_CLIENT_KEY"], ServerName: variables["CONSUL_TLS_SERVER_NAME"],
			Insecure: variables["CONSUL_HTTP_SSL_VERIFY"] == "false"},
	}
	if o.Address == "" {
		return o, false, nil
	}
	if variables["CONSUL_HTTP_SSL"] == "true" && !strings.Contains(o.Address, "://") {
		o.Address = "https://" + o.Address
	}
	if file := variables["CONSUL_HTTP_TOKEN_FILE"]; o.Token == "" && file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return o, false, fmt.Errorf("CONSUL_HTTP_TOKEN_FILE: %w", err)
		}
		o.Token = strings.TrimSpace(string(text))
	}
	return o, true, nil
}
