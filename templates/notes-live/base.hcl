group "base" {
  description = "What the services stand on"
}

resource "terraform" "network" {
  group       = "base"
  description = "The network that all containers are on"
  source      = "./modules/network"

  inputs = {
    name        = "vivarium-${environment.name}"
    environment = environment.name
    cidr        = param.cidr
  }
}

resource "vault_secret" "database" {
  group       = "base"
  description = "The database's password, which nobody has made up"
  path        = "environments/${environment.name}/database"

  generate = {
    password = { length = 32 }
  }
}

resource "consul_kv" "settings" {
  group       = "base"
  description = "What the API reads at every request"
  prefix      = "environments/${environment.name}/notes"

  keys = {
    title   = param.title
    longest = param.longest
  }
}
