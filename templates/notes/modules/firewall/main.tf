module "firewall" {
  source  = "../provisioned"
  kind    = "firewall"
  seconds = var.seconds

  properties = {
    network_id = var.network_id
    rules      = var.rules
  }
}
