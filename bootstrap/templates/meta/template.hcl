# What Vivarium itself stands on, on one machine, as supervised processes or in Docker, or in a Kubernetes: RabbitMQ, Consul, Vault, and the service (a
# server and a runner). `vivarium bootstrap` makes it with an engine of its own, and hands it over to that very service.
#
# Passwords and tokens are worked out from the cluster's key, so they are kept nowhere; the service's own at the broker come from Vault. Start here, then secrets.hcl, base.hcl,
# initialise.hcl and service.hcl.

template "meta" {
  version     = "1.0.0"
  description = "Vivarium and what it stands on: RabbitMQ, Consul, Vault, a server and a runner"
  tags        = ["vivarium", "environment-zero"]
}

# A certificate that nobody renews in time ends all that has it, so this does not wait for people.
drift { policy = "heal" }

# What `vivarium bootstrap` says.

parameter "location" {
  type        = string
  default     = "process"
  description = "process, local or kubernetes: supervised processes, Docker, or a cluster."

  validation {
    condition     = contains(["process", "local", "kubernetes"], param.location)
    error_message = "process, local or kubernetes."
  }
}

parameter "program" {
  type        = string
  description = "The program vivarium, by an absolute path; in Docker that within its image."
}

parameter "engine" {
  type        = string
  default     = ""
  description = "In Docker the engine's socket on this machine."
}

parameter "key" {
  type        = string
  sensitive   = true
  description = "The cluster's key."
}

parameter "folder" {
  type        = string
  description = "Where processes and volumes are."
}

parameter "programs" {
  type        = list(string)
  default     = []
  description = "Folders in which programs are looked for before PATH."
}

parameter "catalogue" {
  type        = string
  description = "Templates of the further environments: a folder, or the address of a git repository."
}

# What people may say, by --param; what a cluster needs besides is in cluster.hcl.

parameter "datacenter" {
  type        = string
  default     = "vivarium"
  description = "Consul's datacentre, and the cluster's name."

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,62}$", param.datacenter))
    error_message = "Small letters, digits and hyphens."
  }
}

parameter "api_port" {
  type        = number
  default     = 8090
  description = "Of the service."
}

parameter "amqp_port" {
  type    = number
  default = 5672
}

parameter "amqps_port" {
  type        = number
  default     = 5671
  description = "Of RabbitMQ with TLS, by which the service comes; amqp_port is for people on this machine, and for a service that is older. In a cluster with tls it is the only one."
}

parameter "broker_tls" {
  type        = bool
  default     = true
  description = "Whether RabbitMQ has a certificate of Vault's authority, and the service connects with TLS; in a cluster it is said once, as tls is, without which the profile small does not have it there."
}

parameter "tls" {
  type        = bool
  default     = true
  description = "Whether Vault, Consul and the API have certificates, too, and are asked with TLS alone. It is said once: what is there is not moved from one to the other."
}

parameter "management_port" {
  type        = number
  default     = 15672
  description = "Of RabbitMQ's pages and its API."
}

parameter "erlang_ports" {
  type        = object({ distribution = number, mapper = number })
  default     = { distribution = 25672, mapper = 4369 }
  description = "Of the broker's nodes among each other."
}

parameter "consul_ports" {
  type        = object({ http = number, server = number, lan = number, wan = number })
  default     = { http = 8500, server = 8300, lan = 8301, wan = 8302 }
  description = "Of Consul; people use the first."
}

parameter "vault_ports" {
  type        = object({ http = number, cluster = number })
  default     = { http = 8200, cluster = 8201 }
  description = "Of Vault; people use the first."
}

parameter "vault_shares" {
  type        = number
  default     = 1
  description = "Into how many shares the key that unseals Vault is split; more than half of them unseal."

  validation {
    condition     = param.vault_shares >= 1 && param.vault_shares <= 20
    error_message = "From 1 to 20."
  }
}

parameter "broker_credentials" {
  type        = string
  default     = "vault"
  description = "Where the service's credentials at RabbitMQ come from: vault issues them for a while (it needs the secrets engine rabbitmq, which only minimal builds lack), key works them out from the cluster's key, once for all."

  validation {
    condition     = contains(["vault", "key"], param.broker_credentials)
    error_message = "vault or key."
  }
}

parameter "broker_credentials_life" {
  type        = object({ ttl = string, max_ttl = string })
  default     = { ttl = "1h", max_ttl = "24h" }
  description = "How long credentials live that Vault issues, unless they are renewed, and at all."
}

parameter "images" {
  type = object({ broker = string, consul = string, vault = string, service = optional(string) })
  default = {
    broker  = "rabbitmq:3-management"
    consul  = "hashicorp/consul:1.22"
    vault   = "hashicorp/vault:1.21"
    service = "vivarium:dev"
  }
  description = "In Docker and on Kubernetes; processes are programs of PATH. That of the service is made by the bootstrap unless it is said here."
}

parameter "log_level" {
  type        = string
  default     = "info"
  description = "Of server and runner."
}

locals {
  host   = "127.0.0.1"
  api    = "${local.scheme}://${local.cluster ? resource.container.server.outputs.host : local.host}:${param.api_port}"
  consul = "${local.tls ? "https://" : ""}${local.cluster ? local.consul_host : local.host}:${param.consul_ports.http}"
  vault  = "${local.scheme}://${local.cluster ? local.vault_host : local.host}:${local.vault_port}"
  listens = local.cluster ? local.broker_host : local.host
  bus    = replace("${local.listener}/${local.user}", "://", "://${local.user}:${resource.derived_secret.broker_user.outputs.value}@")
  user   = "vivarium"
  issued = param.broker_credentials == "vault"

  # In a cluster a certificate is for the name of a Service, which has to be known before that is there: with TLS they are called as it says here.
  named       = local.cluster && (local.full || local.tls)
  broker_name = "vivarium-broker.${param.namespace}.svc"
  consul_name = "vivarium-consul.${param.namespace}.svc"
  vault_name  = "vivarium-vault.${param.namespace}.svc"
  server_name = "vivarium-server.${param.namespace}.svc"

  secure    = param.broker_tls && (!local.cluster || local.named)
  listener  = local.secure ? "amqps://${local.listens}:${param.amqps_port}" : "amqp://${local.listens}:${param.amqp_port}"
  tls       = param.tls
  scheme    = local.tls ? "https" : "http"
  trusted   = toset(local.tls ? ["one"] : [])
  # Vault's authority is that of all but Vault's listener, which is there before it.
  authority = local.tls ? resource.vault_certificate.server["one"].outputs.ca : local.secure ? resource.vault_certificate.broker["broker"].outputs.ca : ""
  vault_ca  = local.tls ? resource.derived_certificate.vault["one"].outputs.ca : ""
  management_ca = local.quiet ? resource.derived_certificate.management["broker"].outputs.ca : ""

  # On one machine everything is on its own network, so that addresses are the same for whoever asks: the engine of a bootstrap, the
  # runner, people. In a cluster they are those of Services, and what others ask listens to all.
  docker   = param.location == "local"
  cluster  = param.location == "kubernetes"
  networks = local.cluster ? null : ["host"]
  open     = local.cluster ? "0.0.0.0" : local.host
  # In a cluster whose service has never come without TLS the broker listens with TLS alone, its management, too.
  quiet = local.cluster && local.tls && local.secure
  root     = local.docker || local.cluster ? "0:0" : null
  volumes  = local.docker ? "vivarium-" : "" # a name that nobody else has
}

group "base" {
  description = "What everything stands on"
}

group "service" {
  description = "Vivarium itself"
}

entrypoint "api" {
  url         = "${local.api}/api/v1"
  description = "The service's API"
}

entrypoint "consul" {
  url         = "${local.tls ? "" : "http://"}${local.consul}/ui"
  description = "Consul"
}

entrypoint "vault" {
  url         = "${local.vault}/ui"
  description = "Vault"
}

output "api" {
  value = local.api
}

output "api_ca" {
  value = local.tls ? local.authority : ""
}

output "vault_ca" {
  value = local.vault_ca
}

output "bus" {
  value     = local.bus
  sensitive = true
}

output "management_ca" {
  value = local.management_ca
}

output "bus_ca" {
  value = local.authority
}

output "consul" {
  value = local.consul
}

output "vault" {
  value = local.vault
}
