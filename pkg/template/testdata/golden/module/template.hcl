template "module" {
  version = "1.0.0"
}
parameter "dir" { type = string }
resource "module" "good" {
  source = "./modules/net"
  inputs = { cidr = "10.0.0.0/8", size = "3" }
}
resource "module" "bad" {
  source = "./modules/net"
  inputs = {
    cdir = "10.0.0.0/8"
    size = "many"
  }
}
resource "module" "none" {
  source = "./modules/net"
}
resource "module" "moving" {
  source = param.dir
}
resource "module" "absent" {
  source = "./modules/other"
}
output "id" { value = resource.module.good.outputs.ids }
output "absent" { value = resource.module.absent.outputs.anything }
