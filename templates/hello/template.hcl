# The smallest environment: one action, and nothing to install.

template "hello" {
  version     = "1.0.0"
  description = "Says hello; shows in a second that server, bus and runner work together"
  tags        = ["sample"]
}

parameter "greeting" {
  type        = string
  default     = "Hello"
  description = "What is said."

  validation {
    condition     = length(param.greeting) > 0 && length(param.greeting) <= 80
    error_message = "A greeting has 1 to 80 characters."
  }
}

action "greet" {
  description = "Greets the environment"
  command     = ["echo", "${param.greeting}, ${environment.name}!"]
}

output "greeting" {
  description = "What was said"
  value       = action.greet.outputs.stdout
}
