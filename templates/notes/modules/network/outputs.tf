output "id" {
  description = "Of the network."
  value       = module.network.id
}

output "cidr" {
  description = "Its address range."
  value       = var.cidr
}

output "subnets" {
  description = "Address range of each zone."
  value       = local.subnets
}
