group "x" {
  description = = 1
}
