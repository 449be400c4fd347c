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
  store_address = local.installs ? "http://vivarium-store.${param.namespace}.svc:8529" : param.store_address
  store_scheme  = startswith(local.store_address, "https:") ? "arangodb+tls" : "arangodb"
  store         = "${local.store_scheme}://vivarium@${trimprefix(trimprefix(local.store_address, "https://"), "http://")}/vivarium"
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
  administrator = "root"
  password      = local.installs ? resource.derived_secret.store_administrator.outputs.value : param.store_password
  database      = "vivarium"
  user          = "vivarium"
  user_password = resource.derived_secret.store_user.outputs.value
}
