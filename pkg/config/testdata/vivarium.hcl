# Every setting of a Vivarium server, with the value that it has when nothing is said, unless the comment says
# otherwise. Environment variables (VIVARIUM_BUS, VIVARIUM_LOG_LEVEL, ...) win over this file, flags over both.

# Take commands. Without it the server is a secondary: it serves reads, and says whose they are.
primary              = true # false when nothing is said
primary_cluster_name = "local"

# Where messages travel: "embedded" is NATS inside the server; else amqp://, amqps:// or nats://.
bus = "embedded"
# Where the credentials of an AMQP broker come from when its address has none: what Vault issues at this path to the login that
# VAULT_ADDR, VAULT_ROLE_ID and VAULT_SECRET_ID make.
bus_credentials = "" # such as "vault:rabbitmq/creds/vivarium"
bus_ca_file     = "" # roots for amqps://, when they are not the system's

# "sqlite" is a file in the data folder; "sqlite:/var/lib/vivarium/store.db" another one;
# "arangodb://user:password@host1:8529,host2:8529/vivarium" a database of ArangoDB, with arangodb+tls:// for TLS.
store = "sqlite"
# Credentials that the address does not have: said here, or in the keys user and password of a secret in Vault (KV version 2),
# which VAULT_ADDR and VAULT_TOKEN lead to.
store_user     = ""
store_password = ""
store_vault    = "" # such as "secret/vivarium/store"
store_ca_file  = "" # roots for arangodb+tls://, when they are not the system's

# Everything the server keeps. Two servers can't share one.
data_dir = ".vivarium"

# The API. Nothing but reads are served; still, bind it to an address that only you reach.
listen = "127.0.0.1:8090"
# Its certificate and key (PEM), which are read anew when they are renewed; without them it has no TLS. Commands on this machine
# check the certificate with the roots in listen_ca_file, or with the system's.
listen_cert_file = ""
listen_key_file  = ""
listen_ca_file   = ""

# Requests that one address may make of the API each second; 0 is no limit.
rate_limit = 0

# A folder of templates, or a git URL: "https://git.example.test/templates.git?ref=main".
catalogue = "templates"

# The key that seals secrets: base64 of 32 bytes. Without it the file "key" in the data folder, made when missing.
# key = "..."

# Journals that environments are spread over. Fixed for the life of a store.
partitions = 16

# Steps of one environment that run at once.
parallelism = 100

# How long running work may go on after the first SIGTERM.
stop_timeout = "20s"

# How long the lines are kept that steps print (they are bounded by number, too).
log_retention = "720h"

# How long before a planned destruction (destroy_at) events announce it.
destroy_warnings = ["24h", "1h"]

# How often each resource is looked at without anybody asking, unless its environment says otherwise; "0s" is never.
drift_interval = "1h"

log {
  level  = "info" # debug, info, warn, error
  format = "text" # text, json
}

# The runner in the server's process; `vivarium runner` reads these too, except "enabled".
runner {
  enabled     = true
  name        = "" # the host's name
  pools       = ["default"]
  labels      = []
  concurrency = 8
  work_dir    = "" # a folder in data_dir
  plugins     = "" # no executors of our own
}

terraform {
  binary           = "" # tofu or terraform from PATH
  plugin_cache_dir = ""
}

container {
  target = "" # docker, kubernetes or process; Docker where there is one
}

# Containers that are processes of the runner's machine.
process {
  folder   = "" # a folder in data_dir
  programs = [] # looked in before PATH
}

# Where containers run on Kubernetes; which cluster it is, is in the files that KUBECONFIG names.
kubernetes {
  context       = "" # of the kubeconfig
  namespace     = "" # one for each environment
  ports         = "node" # cluster: no node has ports of containers
  ingress_class = ""
  storage_class = ""
  volume_size   = "1Gi"
}

# Where servers and runners register, and find each other, brokers and stores. Without it everything is as on one machine.
consul {
  address     = "" # 127.0.0.1:8500
  # token     = "..."
  namespace   = ""
  partition   = ""
  ca_file     = ""
  cert_file   = ""
  key_file    = ""
  server_name = ""
  service     = "vivarium" # vivarium-server and vivarium-runner
  advertise   = "" # host:port of the API
}

# What a primary and its secondaries share.
replication {
  # token   = "..." # openssl rand -base64 32
  primary = [] # https://10.0.0.4:8090; Consul is asked for it
  ca_file = ""
}

# How sides take over from each other; both have to have the same.
cluster {
  lease  = "20s" # how long a primary may act without hearing its secondaries; 0s acts without asking
  margin = "10s" # what a forced takeover waits besides
}
