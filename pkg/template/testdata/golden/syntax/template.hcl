template "syntax" {
  version = "1.0.0"
}
resource "box" "a" {
  image = "unclosed
}
