package config

import "time"

// Settings of a server, and of a runner as far as they concern it. Made by Load; the zero value is not meaningful.
type Settings struct {
	// Primary takes commands; a secondary serves reads only.
	Primary bool
	// PrimaryClusterName is this cluster's name when it is the primary, else that of the cluster which is.
	PrimaryClusterName string
	// Bus is "embedded", or amqp://, amqps:// or nats:// with credentials, or consul:// and the name of a service.
	Bus string
	// BusCredentials is "vault:" and the path in Vault that issues the credentials of the bus, where Bus has none; empty: none.
	BusCredentials string
	// BusCAFile has roots (PEM) for the broker's certificate; empty: the system's.
	BusCAFile string
	// Store is "sqlite" (a file in DataDir), "sqlite:PATH", or arangodb:// or arangodb+tls:// with credentials.
	Store string
	// StoreUser and StorePassword stand in for credentials that Store does not have; StoreVault names a secret with them.
	StoreUser, StorePassword, StoreVault string
	// StoreCAFile has roots (PEM) for the certificate of an ArangoDB; empty: the system's.
	StoreCAFile string
	// DataDir holds everything that a server keeps.
	DataDir string
	// Listen is the host:port of the API; port 0 takes a free one.
	Listen string
	// ListenCertFile and ListenKeyFile are what the API shows of itself (PEM), and are read anew when they change; empty: it listens without TLS.
	// ListenCAFile has the roots (PEM) that commands on this machine check that with; empty: the system's.
	ListenCertFile, ListenKeyFile, ListenCAFile string
	// RateLimit is how many requests one address may make of the API each second; 0 is no limit.
	RateLimit int
	// Catalogue is a folder, or a git URL with an optional ?ref= branch, tag or commit.
	Catalogue string
	// Key is the cluster's key in base64; empty takes the key file of DataDir.
	Key string
	// Partitions never changes for the life of a store.
	Partitions int
	// Parallelism bounds the steps of one environment that run at once.
	Parallelism int
	// StopTimeout is how long running work may go on after the first signal.
	StopTimeout time.Duration
	// LogRetention is how long the lines are kept that steps print.
	LogRetention time.Duration
	// DestroyWarnings are how long before a planned destruction it is announced.
	DestroyWarnings []time.Duration
	// DriftInterval is how often each resource is looked at without anybody asking; 0 is never.
	DriftInterval time.Duration

	Log         Log
	Runner      Runner
	Terraform   Terraform
	Container   Container
	Kubernetes  Kubernetes
	Process     Process
	Consul      Consul
	Cluster     Cluster
	Replication Replication

	origins map[string]origin
}

// Log is how the process logs.
type Log struct {
	Level  string // debug, info, warn or error
	Format string // text or json
}

// Runner is the runner of this process.
type Runner struct {
	// Enabled embeds a runner in a server.
	Enabled bool
	Name    string // empty: the host's name
	Pools   []string
	Labels  []string
	// Concurrency is how many tasks run at once.
	Concurrency int
	// WorkDir keeps caches between attempts; empty: a folder in DataDir.
	WorkDir string
	// Plugins is a folder of executors that are programs of their own; empty: none.
	Plugins string
}

// Terraform is how the terraform executor finds its program.
type Terraform struct {
	Binary         string // empty: tofu or terraform from PATH
	PluginCacheDir string // empty: none
}

// Container is where the containers of this machine's runner run.
type Container struct {
	Target string // docker, kubernetes or process; empty: whichever of the first two there is, Docker first
}

// Process is where this machine's runner keeps containers that are processes.
type Process struct {
	Folder   string   // empty: a folder in DataDir
	Programs []string // folders that are looked in before those of PATH
}

// Kubernetes is how the container executor uses its cluster. Where that is, is in the files that KUBECONFIG names.
type Kubernetes struct {
	Context      string // of the kubeconfig; empty: its current one
	Namespace    string // empty: one for each environment
	Pending      bool   // it is made before anything is applied, as a bootstrap does; nobody sets it
	Ports        string // node or cluster
	IngressClass string // empty: the cluster's default
	StorageClass string // empty: the cluster's default
	VolumeSize   string
}

// Cluster is how sides take over from each other. Both have to have the same.
type Cluster struct {
	// Lease is how long a primary may act without hearing its secondaries; 0 acts without asking.
	Lease time.Duration
	// Margin is what a takeover waits besides, for work that was told to stop to end.
	Margin time.Duration
}

// Consul is where instances find each other. That of executors is another matter (CONSUL_HTTP_ADDR).
type Consul struct {
	Address                               string // empty: none
	Token                                 string
	Namespace, Partition                  string
	CAFile, CertFile, KeyFile, ServerName string
	Service                               string // what the names of the services begin with
	Advertise                             string // host:port of the API; empty: where it listens
}

// Replication is how secondaries get the journal.
type Replication struct {
	// Token is known to both sides; without it a primary serves none, and a secondary follows nobody.
	Token string
	// Primary are addresses of the primary's servers; empty: Consul knows them.
	Primary []string
	CAFile  string // roots for their certificates; empty: the system's
}

// Origin says where a setting's value came from, such as "--bus", "VIVARIUM_BUS", "vivarium.hcl:3" or "default".
func (s Settings) Origin(path string) string { return s.origins[path].text }

// IsDefault tells whether nobody has set the setting.
func (s Settings) IsDefault(path string) bool { return s.origins[path].text == defaultOrigin }
