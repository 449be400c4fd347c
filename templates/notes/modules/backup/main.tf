module "backup" {
  source  = "../provisioned"
  kind    = "backup"
  seconds = var.seconds

  properties = {
    database_id = var.database_id
    hour        = var.hour
    keep_days   = var.keep_days
  }
}
