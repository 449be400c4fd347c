parameter "p" {}
resource "box" "a" { image = "x" }
locals { l = 1 }
output "o" { value = 1 }
group "g" {}
entrypoint "e" { url = "https://example.test" }
action "m" { command = [] }
resource "box" "Upper" { image = "x" }
