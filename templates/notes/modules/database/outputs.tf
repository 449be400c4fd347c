output "id" {
  description = "Of the database."
  value       = module.database.id
}

output "host" {
  description = "Address of the primary."
  value       = cidrhost(var.subnet, 10)
}

output "port" {
  description = "Where it listens."
  value       = 5432
}

output "user" {
  description = "The owner."
  value       = var.name
}

output "password" {
  description = "The owner's."
  value       = local.password
  sensitive   = true
}
