module "database" {
  source  = "../provisioned"
  kind    = "database"
  seconds = var.seconds

  properties = {
    name       = var.name
    network_id = var.network_id
    subnet     = var.subnet
    storage_gb = var.storage_gb
    settings   = var.settings
  }
}

locals {
  # Made from something that nobody knew before, and the same with every apply.
  password = substr(sha256("${module.database.unique}/${var.name}"), 0, 24)
}
