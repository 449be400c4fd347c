variable "database_id" {
  description = "What is copied."
  type        = string
}

variable "hour" {
  description = "When, in UTC."
  type        = number

  validation {
    condition     = var.hour >= 0 && var.hour < 24
    error_message = "0 to 23."
  }
}

variable "keep_days" {
  description = "How long a copy is kept."
  type        = number
  default     = 7
}

variable "seconds" {
  description = "How long it takes to be made."
  type        = number
  default     = 0
}
