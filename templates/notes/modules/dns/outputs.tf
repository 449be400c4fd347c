output "id" {
  description = "Of the zone."
  value       = module.dns.id
}

output "inner_domain" {
  description = "Domain of the names that only the network knows."
  value       = "inner.${var.domain}"
}
