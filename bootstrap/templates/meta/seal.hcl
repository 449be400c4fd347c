# How Vault is unsealed: by the keys of the operator's file, unless this says otherwise.

parameter "vault_seal" {
  type        = string
  default     = ""
  sensitive   = true
  description = "A block of Vault's configuration by which it unseals itself, such as seal \"azurekeyvault\" { ... }. Its keys are of no use without that, and --keys gets keys for recovery. Without it, it is unsealed by the keys in --keys."

  validation {
    condition     = param.vault_seal == "" || can(regex("^\\s*seal\\s+\"[a-z]+\"\\s*\\{", param.vault_seal))
    error_message = "A block such as: seal \"awskms\" { ... }."
  }
}

locals {
  seals = nonsensitive(param.vault_seal) != ""
}
