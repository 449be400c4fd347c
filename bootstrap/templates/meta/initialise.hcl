resource "rabbitmq_cluster" "broker" {
  depends_on    = [resource.container.broker, resource.helm_release.broker]
  group         = "base"
  description   = "The virtual host of the service, and a user for people"
  address       = "${local.quiet ? "https" : "http"}://${local.broker_host}:${param.management_port}"
  ca            = local.quiet ? local.management_ca : null
  administrator = "administrator"
  password      = resource.derived_secret.broker_administrator.outputs.value
  virtual_host  = local.user
  user          = local.user
  user_password = resource.derived_secret.broker_user.outputs.value
}

resource "consul_cluster" "consul" {
  depends_on       = [resource.container.consul, resource.helm_release.consul]
  group            = "base"
  description      = "Access control, and a token for the service"
  address          = "${local.tls ? "https://" : ""}${local.consul_host}:${param.consul_ports.http}"
  ca               = local.authority
  management_token = resource.derived_secret.consul_management.outputs.value
  agent_token      = resource.derived_secret.consul_agent.outputs.value
  name             = "vivarium"
  token            = resource.derived_secret.consul_service.outputs.value
  rules            = <<-EOT
    agent_prefix "" { policy = "read" }
    node_prefix "" { policy = "read" }
    service_prefix "" { policy = "write" }
    session_prefix "" { policy = "write" }
    key_prefix "" { policy = "write" }
  EOT
}

resource "vault_cluster" "vault" {
  depends_on  = [resource.container.vault, resource.helm_release.vault]
  group       = "base"
  description = "Vault's keys, its engines, and a role for the service"
  address     = local.vault
  ca          = local.vault_ca
  nodes       = local.vault_nodes
  shares      = param.vault_shares
  role        = "vivarium"
  role_id     = resource.derived_secret.vault_role.outputs.value
  secret_id   = resource.derived_secret.vault_secret.outputs.value

  pki {
    common_name = "${param.datacenter} authority"
    domains     = concat(["${param.datacenter}.internal", "service.${param.datacenter}.consul", "server.${param.datacenter}.consul"], local.named ? ["${param.namespace}.svc"] : [])
  }

  # What runners need for environments, and what it takes to look at, and to mend, what this resource has made.
  policy = <<-EOT
    path "secret/*" { capabilities = ["create", "read", "update", "patch", "delete", "list"] }
    path "pki/*" { capabilities = ["create", "read", "update", "delete", "list"] }
    path "auth/approle/role/*" { capabilities = ["create", "read", "update", "delete", "list"] }
    path "sys/policies/acl/*" { capabilities = ["create", "read", "update", "delete", "list"] }
    path "sys/mounts" { capabilities = ["read"] }
    path "sys/mounts/*" { capabilities = ["create", "read", "update"] }
    path "sys/mounts/rabbitmq" { capabilities = ["create", "read", "update", "delete"] }
    path "rabbitmq/*" { capabilities = ["create", "read", "update", "delete", "list"] }
    path "sys/auth" { capabilities = ["read"] }
    path "sys/auth/approle" { capabilities = ["create", "read", "update", "sudo"] }
  EOT
}

# Not there with broker_tls or tls = false. Every look tells when one is to be renewed, which is from four months before its end: the service does it then, as what
# has drifted is healed here, and starts its server anew.
resource "vault_certificate" "broker" {
  for_each    = toset(local.secure ? ["broker"] : [])
  group       = "base"
  description = "The broker's certificate"
  address     = resource.vault_cluster.vault.outputs.address
  ca          = local.vault_ca
  role_id     = resource.derived_secret.vault_role.outputs.value
  secret_id   = resource.derived_secret.vault_secret.outputs.value
  mount       = resource.vault_cluster.vault.outputs.pki
  role        = resource.vault_cluster.vault.outputs.role
  common_name = "broker.${param.datacenter}.internal"
  names       = concat(["localhost"], local.named ? [local.broker_name] : []) # and not broker_host: on one machine that is of a broker that has the certificate
  addresses   = [local.host]
  ttl         = "8760h"
}

resource "vault_certificate" "consul" {
  for_each    = local.trusted
  group       = "base"
  description = "Consul's certificate, for its API and its servers among each other"
  address     = resource.vault_cluster.vault.outputs.address
  ca          = local.vault_ca
  role_id     = resource.derived_secret.vault_role.outputs.value
  secret_id   = resource.derived_secret.vault_secret.outputs.value
  mount       = resource.vault_cluster.vault.outputs.pki
  role        = resource.vault_cluster.vault.outputs.role
  common_name = "server.${param.datacenter}.consul"
  names       = concat(["consul.${param.datacenter}.internal", "localhost"], local.cluster ? [local.consul_name] : [])
  addresses   = [local.host]
  ttl         = "8760h"
}

resource "vault_certificate" "server" {
  for_each    = local.trusted
  group       = "service"
  description = "The certificate of the service's API"
  address     = resource.vault_cluster.vault.outputs.address
  ca          = local.vault_ca
  role_id     = resource.derived_secret.vault_role.outputs.value
  secret_id   = resource.derived_secret.vault_secret.outputs.value
  mount       = resource.vault_cluster.vault.outputs.pki
  role        = resource.vault_cluster.vault.outputs.role
  common_name = "vivarium.${param.datacenter}.internal"
  names       = concat(["localhost"], local.cluster ? [local.server_name] : [])
  addresses   = [local.host]
  ttl         = "8760h"
}

# Not there with broker_credentials = "key".
resource "vault_rabbitmq" "broker" {
  for_each      = toset(local.issued ? ["vault"] : [])
  group         = "base"
  description   = "Vault issues the service's credentials at RabbitMQ, for a while each"
  address       = resource.vault_cluster.vault.outputs.address
  ca            = local.vault_ca
  role_id       = resource.derived_secret.vault_role.outputs.value
  secret_id     = resource.derived_secret.vault_secret.outputs.value
  broker        = resource.rabbitmq_cluster.broker.outputs.address
  administrator = "administrator"
  password      = resource.derived_secret.broker_administrator.outputs.value
  role          = local.user
  virtual_host  = resource.rabbitmq_cluster.broker.outputs.virtual_host
  ttl           = param.broker_credentials_life.ttl
  max_ttl       = param.broker_credentials_life.max_ttl

  login {
    name      = "server"
    role_id   = resource.derived_secret.server_role.outputs.value
    secret_id = resource.derived_secret.server_secret.outputs.value
  }
}
