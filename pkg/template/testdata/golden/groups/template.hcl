template "groups" {
  version = "1.0.0"
}
group "app" {
  description = "what people see"
  depends_on  = [group.network, group.network]
}
group "network" {}
resource "box" "web" {
  group = "app"
  image = "x"
}
resource "box" "net" {
  group = "network"
  image = "x"
}
