# The Vault of the profile full: several nodes with storage of their own, of which one is initialised and the others join it. Each is unsealed by itself, by
# a Service of its own; ready, and so behind the Service of all, is who is unsealed.

parameter "vaults" {
  type        = object({ nodes = number, volume = string })
  default     = { nodes = 3, volume = "4Gi" }
  description = "In the profile full how many nodes Vault has, and how large their volumes are."

  validation {
    condition     = param.vaults.nodes % 2 == 1
    error_message = "Vaults decide by majority: an odd number of them."
  }
}

locals {
  vault_host  = local.named ? local.vault_name : join("", [for c in resource.container.vault : c.outputs.host])
  vault_port  = local.full ? 8200 : param.vault_ports.http
  vault_nodes = local.full ? [for i in range(param.vaults.nodes) : "${local.scheme}://vivarium-vault-${i}.${param.namespace}.svc:${local.vault_port}"] : null
  # What its certificate is for: the Service of all, that by which a node is unsealed, and each node among the others.
  vault_names = concat(local.cluster ? [local.vault_name] : [], local.full ? flatten([for i in range(param.vaults.nodes) : [
    "vivarium-vault-${i}.${param.namespace}.svc", "vivarium-vault-${i}.vivarium-vault-nodes.${param.namespace}.svc",
  ]]) : [])
}

resource "helm_release" "vault" {
  for_each    = local.many
  group       = "base"
  description = "Vault, several nodes"
  chart       = "./charts/vault"
  name        = "vivarium-vault"
  wait        = false # sealed, they are not ready; what initialises and unseals them comes next

  values = {
    image        = param.images.vault
    replicas     = param.vaults.nodes
    seal         = param.vault_seal
    tls = local.tls ? {
      ca          = resource.derived_certificate.vault["one"].outputs.ca
      certificate = resource.derived_certificate.vault["one"].outputs.certificate
      key         = resource.derived_certificate.vault["one"].outputs.private_key
    } : null
    trusted      = local.management_ca
    storageClass = param.storage_class
    volumeSize   = param.vaults.volume
    resources    = local.requests
  }
}

moved {
  from = resource.container.vault
  to   = resource.container.vault["one"]
}
