output "id" {
  description = "Of the replica."
  value       = module.replica.id
}

output "host" {
  description = "Its address."
  value       = cidrhost(var.subnet, 20)
}
