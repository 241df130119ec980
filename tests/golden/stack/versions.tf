terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0, < 7.0"
    }
  }

  backend "s3" {
    bucket       = "tf-state"
    key          = "venues/shared/terraform.tfstate"
    region       = "us-east-1"
    encrypt      = true
    use_lockfile = true
    kms_key_id   = "alias/state"

    # The inventory has checked it; Terraform refuses a region that is newer than its own list.
    skip_region_validation = true
  }
}

# Where AWS is and who asks it come from the environment: AWS_ENDPOINT_URL, AWS_CA_BUNDLE, AWS_ACCESS_KEY_ID, ...
provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  # The inventory has checked it; the provider refuses a region that is newer than its own list.
  skip_region_validation = true

  # Its own 25 attempts would go on for an hour before an operator hears that AWS is throttling.
  max_retries = 8
}
