group "services" {
  description = "What people and programs talk to"
}

locals {
  services = {
    api    = { image = "registry.example.test/notes/api:1.4.2", port = 8080, path = "/api" }
    web    = { image = "registry.example.test/notes/web:1.4.2", port = 8081, path = "/" }
    search = { image = "registry.example.test/notes/search:0.9.0", port = 8082, path = "/search" }
  }
}

resource "terraform" "service" {
  for_each    = local.services
  group       = "services"
  description = "One of the services, with all its instances"
  idempotent  = true
  source      = "./modules/service"
  depends_on  = [action.migrate]

  inputs = {
    name       = each.key
    image      = each.value.image
    port       = each.value.port
    replicas   = param.replicas
    network_id = resource.terraform.network.outputs.id
    domain     = resource.terraform.dns.outputs.inner_domain
    readers    = [for zone in param.zones : resource.terraform.replica[zone].outputs.host]
    secrets    = { database_password = resource.terraform.database.outputs.password }
    seconds    = 2 * param.pace
  }
}

resource "terraform" "gateway" {
  group       = "services"
  description = "The way in from outside"
  idempotent  = true
  source      = "./modules/gateway"

  inputs = {
    domain      = local.domain
    firewall_id = resource.terraform.firewall.outputs.id
    routes      = { for name, s in local.services : s.path => resource.terraform.service[name].outputs.address }
    seconds     = 2 * param.pace
  }
}

action "verify" {
  group       = "services"
  description = "Looks whether every route of the gateway leads to a service"
  idempotent  = true
  after       = [resource.terraform.gateway, resource.terraform.backup]
  command     = ["verify"]

  app {
    name = "verify"
    url  = "./apps/verify"
  }

  environment = {
    ROUTES = join("\n", [for path, address in resource.terraform.gateway.outputs.routes : "${path} ${address}"])
    PACE   = tostring(param.pace)
  }
}
