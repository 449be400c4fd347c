template "outside" {
  version = "1.0.0"
}
resource "module" "up" {
  source = "../module/modules/net"
}
resource "module" "root" {
  source = "/etc"
}
output "text" { value = file("../module/template.hcl") }
