output "id" {
  description = "Of the sample."
  value       = terraform_data.sample.id
}

output "label" {
  value = module.shared.label
}

output "size" {
  value = var.settings.size
}

output "nothing" {
  value = null
}

output "password" {
  value     = var.password
  sensitive = true
}
