variable "name" {
  type = string
}

output "label" {
  value = "label-of-${var.name}"
}
