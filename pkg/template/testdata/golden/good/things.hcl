resource "module" "net" {
  group  = "network"
  source = "./${local.where}"
  inputs = { cidr = cidrsubnet("10.0.0.0/8", 8, 1) }
}
locals { where = "modules/net" }
resource "box" "db" {
  for_each = param.regions
  image    = "db:${each.value.zone}"
  env      = { NET = local.chain, KEY = param.key }
  expose { port = 5432 }
  status {
    url  = "http://${resource.box.db[each.key].outputs.url}"
    code = 200
  }
}
resource "box" "api" {
  count   = param.replicas
  image   = templatefile("image.tpl", { n = count.index })
  env     = { DB = join(",", [for k, v in resource.box.db : v.outputs.url]) }
  timeout = "${10 + count.index}m"
  retry {
    attempts    = 3
    backoff     = "2s"
    max_backoff = "1m"
  }
}
action "migrate" {
  after   = [resource.box.api]
  command = ["migrate", template.other.outputs.url]
}
entrypoint "web" {
  url         = "https://${environment.name}.example.test"
  description = "The page"
}
output "password" {
  value     = values(resource.box.db)[*].outputs.password
  sensitive = true
}
