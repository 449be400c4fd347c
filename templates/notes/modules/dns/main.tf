module "dns" {
  source  = "../provisioned"
  kind    = "dns-zone"
  seconds = var.seconds

  properties = {
    domain     = var.domain
    network_id = var.network_id
  }
}
