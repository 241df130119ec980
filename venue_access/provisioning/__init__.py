"""From venues to Terraform, and from Terraform to facts; external-ID rotation."""
