module "network" {
  source  = "../provisioned"
  kind    = "network"
  seconds = var.seconds

  properties = {
    name    = var.name
    cidr    = var.cidr
    subnets = local.subnets
  }
}

locals {
  subnets = { for i, zone in var.zones : zone => cidrsubnet(var.cidr, 8, i) }
}
