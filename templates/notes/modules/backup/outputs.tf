output "id" {
  description = "Of the backup plan."
  value       = module.backup.id
}

output "schedule" {
  description = "When it runs, as cron has it."
  value       = "0 ${var.hour} * * *"
}
