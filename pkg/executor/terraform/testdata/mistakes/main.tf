resource "terraform_data" "sample" {
  input = var.missing
}
