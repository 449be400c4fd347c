package bootstrap_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// inCluster are the parameters of a bootstrap in a cluster, with others.
func inCluster(others map[string]any) map[string]any {
	given := map[string]any{"location": "kubernetes", "namespace": "viv", "program": "/usr/bin/vivarium", "key": "k", "folder": "/vivarium", "catalogue": ""}
	maps.Copy(given, others)
	return given
}

func names(of map[string]any) (list []string) {
	for _, name := range of["names"].([]any) {
		list = append(list, name.(string))
	}
	return list
}

// TestCertificatesInACluster: each is for the name of the Service that it is shown by, which is told to that Service.
func TestCertificatesInACluster(t *testing.T) {
	p := resolved(t, inCluster(nil))
	_, containers := inputsOf(t, p, "container.")
	_, issued := inputsOf(t, p, "_certificate.")
	require.Len(t, issued, 5)
	for at, of := range map[string]string{`container.broker["one"]`: `vault_certificate.broker["broker"]`, `container.consul["one"]`: `vault_certificate.consul["one"]`,
		`container.vault["one"]`: `derived_certificate.vault["one"]`, "container.server": `vault_certificate.server["one"]`} {
		name, said := containers["meta."+at]["service_name"].(string)
		require.True(t, said, at)
		require.Contains(t, names(issued["meta."+of]), name+".viv.svc")
		for other := range issued {
			if other != "meta."+of && !strings.Contains(other, "management") {
				require.NotContains(t, names(issued[other]), name+".viv.svc", "nobody else shows it")
			}
		}
	}
	_, broker := inputsOf(t, p, "rabbitmq_cluster.")
	require.Equal(t, "https://vivarium-broker.viv.svc:15672", broker["meta.rabbitmq_cluster.broker"]["address"])
	_, vault := inputsOf(t, p, "vault_cluster.")
	require.Equal(t, "https://vivarium-vault.viv.svc:8200", vault["meta.vault_cluster.vault"]["address"])
	_, consul := inputsOf(t, p, "consul_cluster.")
	require.Equal(t, "https://vivarium-consul.viv.svc:8500", consul["meta.consul_cluster.consul"]["address"])

	p = resolved(t, inCluster(map[string]any{"tls": false}))
	_, issued = inputsOf(t, p, "_certificate.")
	require.Empty(t, issued)
	_, containers = inputsOf(t, p, "container.")
	for at, of := range containers {
		require.NotContains(t, of, "service_name", "%s is called as before there was TLS", at)
	}
}

// TestTheProfileFullWithTLS: the charts of Consul, Vault and the broker listen with TLS alone, ask each other so, and have certificates for all names by which they are.
func TestTheProfileFullWithTLS(t *testing.T) {
	given := map[string]any{"profile": "full", "api_host": "vivarium.example.test"}
	p := resolved(t, inCluster(given))
	_, releases := inputsOf(t, p, "helm_release.")
	chart := func(name string) string { return rendered(t, releases[`meta.helm_release.`+name+`["full"]`]) }
	for name, all := range map[string][]string{
		"consul": {`\"verify_incoming\":true`, `\"verify_server_hostname\":true`, `\"verify_outgoing\":true`, `\"http\":-1`, `\"https\":8500`, "scheme: HTTPS", "key.pem: "},
		"vault":  {"tls_key_file", `leader_api_addr = "https://vivarium-vault-2.`, `leader_ca_cert_file = "/config/ca.pem"`, `value: "https://$(POD).`, "scheme: HTTPS", "key.pem: ", "mountPath: /etc/ssl/certs/"},
		"broker": {"listeners.tcp = none", "listeners.ssl.1 = 5671", "management.ssl.port = 15672", "management-key.pem: "},
		"store":  {"ssl://0.0.0.0:8529", "--ssl.keyfile=/config/server.pem", "server.pem: "},
		"front":  {`"nginx.ingress.kubernetes.io/backend-protocol":"HTTPS"`},
	} {
		manifest := chart(name)
		for _, said := range all {
			require.Contains(t, manifest, said, name)
		}
	}
	require.NotContains(t, chart("vault"), "tls_disable")
	require.NotContains(t, chart("vault"), "http://")
	require.NotContains(t, chart("broker"), "port: 5672")
	_, issued := inputsOf(t, p, "_certificate.")
	for of, all := range map[string][]string{
		`vault_certificate.store["full"]`:  {"vivarium-store.viv.svc"},
		`vault_certificate.consul["one"]`:  {"vivarium-consul.viv.svc"},
		`derived_certificate.vault["one"]`: {"vivarium-vault.viv.svc", "vivarium-vault-2.viv.svc", "vivarium-vault-2.vivarium-vault-nodes.viv.svc"},
	} {
		for _, name := range all {
			require.Contains(t, names(issued["meta."+of]), name)
		}
	}
	_, vault := inputsOf(t, p, "vault_cluster.")
	require.Contains(t, vault["meta.vault_cluster.vault"]["nodes"], "https://vivarium-vault-0.viv.svc:8200")

	_, database := inputsOf(t, p, "arangodb_database.")
	require.Equal(t, "https://vivarium-store.viv.svc:8529", database[`meta.arangodb_database.store["full"]`]["address"])
	require.Equal(t, "PEM", database[`meta.arangodb_database.store["full"]`]["ca"])
	_, server := inputsOf(t, p, "container.server")
	require.Equal(t, "PEM", server["meta.container.server"]["files"].(map[string]any)["/vivarium/tls/store.pem"])

	given["tls"], given["broker_tls"] = false, false
	_, releases = inputsOf(t, resolved(t, inCluster(given)), "helm_release.")
	for name, said := range map[string]string{"consul": `\"https\":-1`, "vault": "tls_disable     = true", "store": "port: 8529", "broker": "port: 5672"} {
		require.Contains(t, chart(name), said)
		require.False(t, strings.Contains(chart(name), "HTTPS"), name)
	}
	require.NotContains(t, chart("front"), "annotations")
}

// TestChecksOfHealthWithoutTLS name no authority, which an executor refuses: of nothing is a certificate checked that is not asked for one.
func TestChecksOfHealthWithoutTLS(t *testing.T) {
	for _, location := range []string{"process", "local", "kubernetes"} {
		for _, with := range []map[string]any{{"tls": false}, {"tls": false, "broker_tls": false}, {"broker_tls": false}, {}} {
			maps.Copy(with, map[string]any{"location": location, "namespace": "viv", "program": "/usr/bin/vivarium", "key": "k", "folder": "/vivarium", "catalogue": "/c", "engine": "/e"})
			_, containers := inputsOf(t, resolved(t, with), "container.")
			require.NotEmpty(t, containers)
			for at, of := range containers {
				health, _ := of["health"].(map[string]any)
				check, ok := health["http"].(map[string]any)
				if !ok {
					continue
				}
				ca, _ := check["ca"].(string)
				require.Equal(t, check["tls"] == true, ca != "", "%s with %v", at, with)
			}
		}
	}
}
