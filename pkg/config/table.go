package config

import (
	"slices"
	"strings"
	"time"
)

// Setting describes one setting to people and to the command line.
type Setting struct {
	Path     string // in the file: name, or block.name
	Type     string // text, number, true or false, duration, list
	Default  string
	Variable string // of the environment
	Flag     string // without its dashes; empty for those that have none
	Doc      string
	// Secret values are not repeated in messages.
	Secret bool
	kind   kind
	set    func(*Settings, value) error
}

// Table is every setting there is, in the order in which documentation lists them. The caller owns the slice.
func Table() []Setting { return slices.Clone(table) }

// EnvPrefix begins the name of every environment variable.
const EnvPrefix = "VIVARIUM_"

var table = []Setting{
	truth("primary", "primary", "false", "take commands; without it the server is a secondary and serves reads only",
		func(s *Settings) *bool { return &s.Primary }),
	text("primary_cluster_name", "primary-cluster-name", "local", "name of the cluster that is the primary",
		func(s *Settings) *string { return &s.PrimaryClusterName }, clusterName),
	text("bus", "bus", "embedded", "message bus: embedded, amqp://, amqps://, nats://, or a service in Consul (consul://rabbitmq)",
		func(s *Settings) *string { return &s.Bus }, busURL).asSecret(),
	text("bus_credentials", "", "", "where the broker's credentials come from when its address has none: vault:PATH, such as vault:rabbitmq/creds/vivarium, by the login of VAULT_ADDR and VAULT_ROLE_ID",
		func(s *Settings) *string { return &s.BusCredentials }, issuedBy),
	text("bus_ca_file", "", "", "roots (PEM) that the broker's certificate is checked with (amqps://); the system's unless given",
		func(s *Settings) *string { return &s.BusCAFile }, anything),
	text("store", "store", "sqlite", "store: sqlite (a file in the data folder), sqlite:PATH, arangodb://USER:PASSWORD@HOST:8529/DATABASE, arangodb+tls:// or a service in Consul (consul://SERVICE/DATABASE)",
		func(s *Settings) *string { return &s.Store }, storeURL).asSecret(),
	text("store_user", "", "", "user of the store, when its address names none",
		func(s *Settings) *string { return &s.StoreUser }, anything),
	text("store_password", "", "", "password of the store, when its address has none",
		func(s *Settings) *string { return &s.StorePassword }, anything).asSecret(),
	text("store_vault", "", "", "secret in Vault (MOUNT/PATH, KV version 2) with user and password of the store",
		func(s *Settings) *string { return &s.StoreVault }, anything),
	text("store_ca_file", "", "", "roots (PEM) that the store's certificate is checked with (arangodb+tls://); the system's unless given",
		func(s *Settings) *string { return &s.StoreCAFile }, anything),
	text("data_dir", "data-dir", ".vivarium", "folder that holds everything the server keeps",
		func(s *Settings) *string { return &s.DataDir }, required),
	text("listen", "listen", "127.0.0.1:8090", "host:port of the API; port 0 takes a free one",
		func(s *Settings) *string { return &s.Listen }, hostPort),
	text("listen_cert_file", "", "", "certificate (PEM) of the API, which then has TLS; read anew when it is renewed",
		func(s *Settings) *string { return &s.ListenCertFile }, anything),
	text("listen_key_file", "", "", "key (PEM) of that certificate",
		func(s *Settings) *string { return &s.ListenKeyFile }, anything),
	text("listen_ca_file", "", "", "roots (PEM) that commands on this machine check that certificate with; the system's unless given",
		func(s *Settings) *string { return &s.ListenCAFile }, anything),
	number("rate_limit", "", "0", "requests that one address may make of the API each second; 0 is no limit", 0, 1_000_000,
		func(s *Settings) *int { return &s.RateLimit }),
	text("catalogue", "catalogue", "templates", "templates: a folder, or a git URL with an optional ?ref=BRANCH, tag or commit",
		func(s *Settings) *string { return &s.Catalogue }, required),
	text("key", "", "", "the cluster's key, base64 of 32 bytes; without it the file \"key\" in the data folder",
		func(s *Settings) *string { return &s.Key }, keyText).asSecret(),
	number("partitions", "", "16", "journals that environments are spread over; fixed for the life of a store", 1, 1024,
		func(s *Settings) *int { return &s.Partitions }),
	number("parallelism", "parallelism", "100", "steps of one environment that run at once", 1, 10000,
		func(s *Settings) *int { return &s.Parallelism }),
	duration("stop_timeout", "stop-timeout", "20s", "how long running work may go on after the first signal",
		func(s *Settings) *durationField { return (*durationField)(&s.StopTimeout) }),
	duration("log_retention", "", "720h", "how long the lines are kept that steps print",
		func(s *Settings) *durationField { return (*durationField)(&s.LogRetention) }),
	durations("destroy_warnings", "", "24h,1h", "how long before a planned destruction events announce it",
		func(s *Settings) *[]time.Duration { return &s.DestroyWarnings }),
	interval("drift_interval", "", "1h", "how often each resource is looked at without anybody asking, unless its environment says otherwise; 0s is never",
		func(s *Settings) *durationField { return (*durationField)(&s.DriftInterval) }),
	text("log.level", "log-level", "info", "debug, info, warn or error",
		func(s *Settings) *string { return &s.Log.Level }, oneOf("debug", "info", "warn", "error")),
	text("log.format", "log-format", "text", "text or json",
		func(s *Settings) *string { return &s.Log.Format }, oneOf("text", "json")),
	truth("runner.enabled", "", "true", "run tasks in the server's own process",
		func(s *Settings) *bool { return &s.Runner.Enabled }),
	text("runner.name", "name", "", "name of the runner, the same over restarts; the host's name unless given",
		func(s *Settings) *string { return &s.Runner.Name }, optionalName),
	list("runner.pools", "pool", "default", "pools whose tasks the runner takes",
		func(s *Settings) *[]string { return &s.Runner.Pools }, poolName),
	list("runner.labels", "label", "", "what else there is to say of the runner, shown with it",
		func(s *Settings) *[]string { return &s.Runner.Labels }, anything),
	number("runner.concurrency", "concurrency", "8", "tasks that the runner works on at once", 1, 10000,
		func(s *Settings) *int { return &s.Runner.Concurrency }),
	text("runner.work_dir", "work-dir", "", "folder for the runner's caches; one in the data folder unless given",
		func(s *Settings) *string { return &s.Runner.WorkDir }, anything),
	text("runner.plugins", "plugins", "", "folder of executors that are programs of their own; the server needs it too",
		func(s *Settings) *string { return &s.Runner.Plugins }, anything).withVariable("PLUGINS"),
	lease("cluster.lease", "", "20s", "how long a primary may act without hearing its secondaries, where it has any, at least 5s; 0s acts without asking them, until it sees a higher epoch",
		func(s *Settings) *durationField { return (*durationField)(&s.Cluster.Lease) }),
	interval("cluster.margin", "", "10s", "what a forced takeover waits beyond the lease before steps run, for work of the other side to end",
		func(s *Settings) *durationField { return (*durationField)(&s.Cluster.Margin) }),
	text("consul.address", "consul", "", "Consul agent (host:port or https://host:port) that servers and runners register with; without it everything is as on one machine",
		func(s *Settings) *string { return &s.Consul.Address }, consulAddress).withVariable("CONSUL"),
	text("consul.token", "", "", "token of Consul's access control",
		func(s *Settings) *string { return &s.Consul.Token }, anything).asSecret(),
	text("consul.namespace", "", "", "namespace of Consul Enterprise",
		func(s *Settings) *string { return &s.Consul.Namespace }, anything),
	text("consul.partition", "", "", "admin partition of Consul Enterprise",
		func(s *Settings) *string { return &s.Consul.Partition }, anything),
	text("consul.ca_file", "", "", "roots (PEM) that Consul's certificate is checked with; the system's unless given",
		func(s *Settings) *string { return &s.Consul.CAFile }, anything),
	text("consul.cert_file", "", "", "certificate (PEM) shown to Consul",
		func(s *Settings) *string { return &s.Consul.CertFile }, anything),
	text("consul.key_file", "", "", "key (PEM) of that certificate",
		func(s *Settings) *string { return &s.Consul.KeyFile }, anything),
	text("consul.server_name", "", "", "name in Consul's certificate, where that is not the address's",
		func(s *Settings) *string { return &s.Consul.ServerName }, anything),
	text("consul.service", "", "vivarium", "what the services are called in Consul: NAME-server and NAME-runner",
		func(s *Settings) *string { return &s.Consul.Service }, poolName),
	text("consul.advertise", "", "", "host:port under which others reach the API; where it listens, unless given",
		func(s *Settings) *string { return &s.Consul.Advertise }, optionalHostPort),
	text("replication.token", "", "", "known to the primary and its secondaries, who are given the journal and the cluster's key for it; at least 16 characters",
		func(s *Settings) *string { return &s.Replication.Token }, tokenText).asSecret(),
	list("replication.primary", "follow", "", "addresses of the primary's API that a secondary follows, such as https://10.0.0.4:8090; Consul is asked unless given",
		func(s *Settings) *[]string { return &s.Replication.Primary }, httpURL),
	text("replication.ca_file", "", "", "roots (PEM) that the primary's certificate is checked with; the system's unless given",
		func(s *Settings) *string { return &s.Replication.CAFile }, anything),
	text("terraform.binary", "", "", "tofu or terraform; looked for in PATH unless given",
		func(s *Settings) *string { return &s.Terraform.Binary }, anything).withVariable("TERRAFORM"),
	text("terraform.plugin_cache_dir", "", "", "folder in which providers are kept between environments",
		func(s *Settings) *string { return &s.Terraform.PluginCacheDir }, anything),
	text("container.target", "", "", "docker, kubernetes or process (of this machine), where containers run; Docker where there is one, unless given",
		func(s *Settings) *string { return &s.Container.Target }, oneOf("", "docker", "kubernetes", "process")).withVariable("CONTAINER"),
	text("process.folder", "", "", "absolute path of the folder that containers which are processes have; a folder in data_dir unless given",
		func(s *Settings) *string { return &s.Process.Folder }, optionalAbsolute),
	list("process.programs", "", "", "folders in which their programs are looked for before PATH",
		func(s *Settings) *[]string { return &s.Process.Programs }, optionalAbsolute),
	text("kubernetes.context", "", "", "context of the kubeconfig (KUBECONFIG); its current one unless given",
		func(s *Settings) *string { return &s.Kubernetes.Context }, anything),
	text("kubernetes.namespace", "", "", "namespace of all containers, which has to exist; vivarium-ENVIRONMENT unless given",
		func(s *Settings) *string { return &s.Kubernetes.Namespace }, anything),
	text("kubernetes.ports", "", "node", "where the ports of containers are to be reached: node, on every node; cluster, within the cluster alone",
		func(s *Settings) *string { return &s.Kubernetes.Ports }, oneOf("node", "cluster")),
	text("kubernetes.ingress_class", "", "", "class of the Ingresses; the cluster's default unless given",
		func(s *Settings) *string { return &s.Kubernetes.IngressClass }, anything),
	text("kubernetes.storage_class", "", "", "class of the volumes; the cluster's default unless given",
		func(s *Settings) *string { return &s.Kubernetes.StorageClass }, anything),
	text("kubernetes.volume_size", "", "1Gi", "size of a named volume",
		func(s *Settings) *string { return &s.Kubernetes.VolumeSize }, quantity),
}

func variableOf(path string) string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

func (s Setting) asSecret() Setting { s.Secret = true; return s }

func (s Setting) withVariable(name string) Setting { s.Variable = EnvPrefix + name; return s }
