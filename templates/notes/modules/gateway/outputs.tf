output "id" {
  description = "Of the gateway."
  value       = module.gateway.id
}

output "url" {
  description = "The way in."
  value       = "https://${var.domain}"
}

output "routes" {
  description = "Address of the service for each path."
  value       = var.routes
}
