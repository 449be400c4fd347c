output "id" {
  description = "Of the service."
  value       = module.service.id
}

output "address" {
  description = "Where the network finds it."
  value       = "${var.name}.${var.domain}:${var.port}"
}
