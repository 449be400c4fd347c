output "id" {
  description = "Of the firewall."
  value       = module.firewall.id
}

output "rules" {
  description = "What is let through, as text."
  value       = [for name, r in var.rules : "${name}: ${r.protocol}/${r.port} from ${r.from}"]
}
