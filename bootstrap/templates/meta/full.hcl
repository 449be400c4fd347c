# The profile full, for a cluster of several machines: brokers, Consul, Vault (vault.hcl) and ArangoDB as stateful sets, several servers and runners, telemetry and a
# way in. Its charts are in charts/, so nothing is fetched but images.

parameter "profile" {
  type        = string
  default     = "small"
  description = "small: everything once, with the embedded store. full: in a cluster, several of what can be several, and ArangoDB."

  validation {
    condition     = param.profile == "small" || param.profile == "full" && param.location == "kubernetes"
    error_message = "small, or, in a Kubernetes, full."
  }
}

parameter "sizes" {
  type = object({ brokers = number, consuls = number, servers = number, runners = number, broker_volume = string, consul_volume = string, store_volume = string, metrics_volume = string })
  default = {
    brokers        = 3
    consuls        = 3
    servers        = 2
    runners        = 2
    broker_volume  = "8Gi"
    consul_volume  = "4Gi"
    store_volume   = "20Gi"
    metrics_volume = "10Gi"
  }
  description = "Of the profile full: how many of each, and how large their volumes."

  validation {
    condition     = param.sizes.brokers % 2 == 1 && param.sizes.consuls % 2 == 1
    error_message = "Brokers and Consuls decide by majority: an odd number of each."
  }
}

parameter "full_images" {
  type = object({ arangodb = string, collector = string, prometheus = string, jaeger = string })
  default = {
    arangodb   = "arangodb:3.12"
    collector  = "otel/opentelemetry-collector:0.140.0"
    prometheus = "prom/prometheus:v3.7.3"
    jaeger     = "jaegertracing/jaeger:2.12.0"
  }
  description = "Of what only the profile full has."
}

parameter "api_host" {
  type        = string
  default     = ""
  description = "In the profile full the name by which the API is reached from outside the cluster; without it there is no way in."
}

parameter "api_certificate" {
  type        = string
  default     = ""
  description = "A Secret of the namespace with the certificate of api_host."
}

parameter "api_annotations" {
  type        = map(string)
  default     = { "nginx.ingress.kubernetes.io/backend-protocol" = "HTTPS" }
  description = "Of the Ingress, with tls: how its controller is told that the API behind it answers by HTTPS alone. The default is what the controller nginx takes."
}

locals {
  full = param.profile == "full"
  once = toset(local.full ? [] : ["one"]) # what a release of the profile full stands for
  many = toset(local.full ? ["full"] : [])

  broker_host = local.named ? local.broker_name : join("", [for c in resource.container.broker : c.outputs.host])
  consul_host = local.named ? local.consul_name : join("", [for c in resource.container.consul : c.outputs.host])
  requests    = { requests = { cpu = "100m", memory = "256Mi" } }
}

resource "helm_release" "broker" {
  for_each     = local.many
  group        = "base"
  description  = "RabbitMQ, several nodes"
  chart        = "./charts/broker"
  name         = "vivarium-broker"
  wait_timeout = "15m"

  values = {
    image        = param.images.broker
    replicas     = param.sizes.brokers
    cookie       = resource.derived_secret.broker_cookie.outputs.value
    password     = resource.derived_secret.broker_administrator.outputs.value
    tls = local.secure ? {
      ca          = resource.vault_certificate.broker["broker"].outputs.ca
      certificate = resource.vault_certificate.broker["broker"].outputs.certificate
      key         = resource.vault_certificate.broker["broker"].outputs.private_key
    } : null
    quiet        = local.quiet
    management = local.quiet ? {
      ca          = local.management_ca
      certificate = resource.derived_certificate.management["broker"].outputs.certificate
      key         = resource.derived_certificate.management["broker"].outputs.private_key
    } : null
    storageClass = param.storage_class
    volumeSize   = param.sizes.broker_volume
    resources    = local.requests
  }
}

resource "helm_release" "consul" {
  for_each     = local.many
  group        = "base"
  description  = "Consul's servers"
  chart        = "./charts/consul"
  name         = "vivarium-consul"
  wait_timeout = "10m"
  # Without access control there is no leader that answers; what initialises it comes next.

  values = {
    image        = param.images.consul
    replicas     = param.sizes.consuls
    datacenter   = param.datacenter
    gossip       = resource.derived_secret.gossip.outputs.value
    agent        = resource.derived_secret.consul_agent.outputs.value # which is known beforehand: what gives it to an agent later reaches one of them
    tls = local.tls ? {
      ca          = resource.vault_certificate.consul["one"].outputs.ca
      certificate = resource.vault_certificate.consul["one"].outputs.certificate
      key         = resource.vault_certificate.consul["one"].outputs.private_key
    } : null
    storageClass = param.storage_class
    volumeSize   = param.sizes.consul_volume
    resources    = local.requests
  }
}
