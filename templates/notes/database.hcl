group "database" {
  description = "Where the notes are kept"
}

resource "terraform" "database" {
  group       = "database"
  description = "The primary, in the first zone"
  idempotent  = true
  source      = "./modules/database"
  timeout     = "5m"

  inputs = {
    name       = "notes"
    network_id = resource.terraform.network.outputs.id
    subnet     = resource.terraform.network.outputs.subnets[param.zones[0]]
    storage_gb = 20
    settings   = { max_connections = 50 * param.replicas }
    seconds    = 3 * param.pace
  }
}

resource "terraform" "replica" {
  for_each    = toset(param.zones)
  group       = "database"
  description = "A copy to read from, in every zone"
  idempotent  = true
  source      = "./modules/replica"

  inputs = {
    primary = resource.terraform.database.outputs.host
    zone    = each.key
    subnet  = resource.terraform.network.outputs.subnets[each.key]
    seconds = 2 * param.pace
  }
}

resource "terraform" "backup" {
  group       = "database"
  description = "A nightly copy of everything"
  idempotent  = true
  source      = "./modules/backup"

  inputs = {
    database_id = resource.terraform.database.outputs.id
    hour        = 3
    keep_days   = 14
    seconds     = param.pace
  }
}

action "migrate" {
  group       = "database"
  description = "Brings the schema up to date"
  idempotent  = true
  after       = [resource.terraform.firewall]
  files       = "./migrations"
  command     = ["migrate", "up"]
  timeout     = "2m"

  app {
    name = "migrate"
    url  = "./apps/migrate"
  }

  environment = {
    DATABASE_URL      = "postgres://${resource.terraform.database.outputs.host}:${resource.terraform.database.outputs.port}/notes"
    DATABASE_USER     = resource.terraform.database.outputs.user
    DATABASE_PASSWORD = resource.terraform.database.outputs.password
    PACE              = tostring(param.pace)
  }

  retry {
    attempts = 3
    backoff  = "2s"
  }
}
