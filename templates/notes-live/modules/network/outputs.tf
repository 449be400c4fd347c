output "name" {
  description = "Of the network, once it is there."
  value       = terraform_data.network.output.name
}
