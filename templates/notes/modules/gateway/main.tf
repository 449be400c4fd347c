module "gateway" {
  source  = "../provisioned"
  kind    = "gateway"
  seconds = var.seconds

  properties = {
    domain      = var.domain
    firewall_id = var.firewall_id
    routes      = var.routes
  }
}
