group "network" {
  description = "What everything else is reached through"
}

resource "terraform" "network" {
  group       = "network"
  description = "The network and a subnet in each zone"
  idempotent  = true
  source      = "./modules/network"

  inputs = {
    name    = environment.name
    cidr    = param.cidr
    zones   = param.zones
    seconds = 2 * param.pace
  }
}

resource "terraform" "dns" {
  group       = "network"
  description = "The environment's own zone of names"
  idempotent  = true
  source      = "./modules/dns"

  inputs = {
    domain     = local.domain
    network_id = resource.terraform.network.outputs.id
    seconds    = param.pace
  }
}

resource "terraform" "firewall" {
  group       = "network"
  description = "Who may talk to whom"
  idempotent  = true
  source      = "./modules/firewall"

  inputs = {
    network_id = resource.terraform.network.outputs.id
    rules = {
      web      = { from = "0.0.0.0/0", port = 443 }
      database = { from = resource.terraform.network.outputs.cidr, port = 5432 }
    }
    seconds = param.pace
  }
}
