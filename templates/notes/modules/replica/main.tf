module "replica" {
  source  = "../provisioned"
  kind    = "replica-${var.zone}"
  seconds = var.seconds

  properties = {
    primary = var.primary
    zone    = var.zone
    subnet  = var.subnet
  }
}
