module "service" {
  source  = "../provisioned"
  kind    = "service-${var.name}"
  seconds = var.seconds

  properties = {
    image      = var.image
    port       = var.port
    replicas   = var.replicas
    network_id = var.network_id
    readers    = var.readers
    secrets    = var.secrets
  }
}
