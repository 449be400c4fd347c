# The store of the profile full. ArangoDB is one server here: a cluster of it is its operator's business, and its address can be said instead.

parameter "store_address" {
  type        = string
  default     = ""
  description = "In the profile full the URL of an ArangoDB that there is already, such as a cluster's coordinators; one is installed unless given."
}

parameter "store_password" {
  type        = string
  default     = ""
  sensitive   = true
  description = "Of root at store_address."
}

parameter "store_ca" {
  type        = string
  default     = ""
  description = "The authority of the certificate at store_address, in PEM; the system's unless given."
}

resource "derived_secret" "store_administrator" {
  group       = "base"
  description = "Password of ArangoDB's root"
}

resource "derived_secret" "store_user" {
  group       = "base"
  description = "Password of the service at ArangoDB"
}

locals {
  installs      = local.full && param.store_address == ""
  store_name    = "vivarium-store.${param.namespace}.svc"
  store_address = local.installs ? "${local.scheme}://${local.store_name}:8529" : param.store_address
  store_checked = local.installs ? local.tls : local.full && param.store_ca != ""
  store_ca      = local.installs && local.tls ? resource.vault_certificate.store["full"].outputs.ca : param.store_ca
  store_scheme  = startswith(local.store_address, "https:") ? "arangodb+tls" : "arangodb"
  store         = "${local.store_scheme}://vivarium@${trimprefix(trimprefix(local.store_address, "https://"), "http://")}/vivarium"
}

resource "vault_certificate" "store" {
  for_each    = toset(local.installs && local.tls ? ["full"] : [])
  group       = "base"
  description = "ArangoDB's certificate"
  address     = resource.vault_cluster.vault.outputs.address
  ca          = local.vault_ca
  role_id     = resource.derived_secret.vault_role.outputs.value
  secret_id   = resource.derived_secret.vault_secret.outputs.value
  mount       = resource.vault_cluster.vault.outputs.pki
  role        = resource.vault_cluster.vault.outputs.role
  common_name = "store.${param.datacenter}.internal"
  names       = ["localhost", local.store_name]
  addresses   = [local.host]
  ttl         = "8760h"
}

resource "helm_release" "store" {
  for_each     = toset(local.installs ? ["full"] : [])
  group        = "base"
  description  = "ArangoDB"
  chart        = "./charts/arangodb"
  name         = "vivarium-store"
  wait_timeout = "10m"

  values = {
    image        = param.full_images.arangodb
    password     = resource.derived_secret.store_administrator.outputs.value
    tls = local.tls ? {
      certificate = resource.vault_certificate.store["full"].outputs.certificate
      key         = resource.vault_certificate.store["full"].outputs.private_key
    } : null
    storageClass = param.storage_class
    volumeSize   = param.sizes.store_volume
    resources    = { requests = { cpu = "250m", memory = "1Gi" } }
  }
}

resource "arangodb_database" "store" {
  for_each      = local.many
  group         = "base"
  description   = "The service's database, and its user"
  depends_on    = [resource.helm_release.store]
  address       = local.store_address
  ca            = local.store_checked ? local.store_ca : null
  administrator = "root"
  password      = local.installs ? resource.derived_secret.store_administrator.outputs.value : param.store_password
  database      = "vivarium"
  user          = "vivarium"
  user_password = resource.derived_secret.store_user.outputs.value
}
