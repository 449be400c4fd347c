template "parameters" {
  version = "1.0.0"
  tags    = "team"
}
parameter "a" { type = strin }
parameter "b" {
  type    = object({ n = number, s = optional(string, 5) })
  default = { n = "x" }
}
parameter "c" {
  type    = number
  default = 0
  validation {
    condition     = param.c > 0
    error_message = "At least one, not ${param.c}."
  }
  validation {
    condition     = param.c < 10
    error_message = "At most nine."
  }
}
parameter "d" {
  validation {
    condition     = local.x > 0
    error_message = "x"
  }
}
parameter "e" { default = param.c }
parameter "f" {
  type = string
  validation { condition = param.f != "" }
}
locals { x = 1 }
