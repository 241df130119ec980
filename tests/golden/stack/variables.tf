variable "partition" {
  description = "AWS partition of the account"
  type        = string
}

variable "account_id" {
  description = "The only account that this stack may be applied to"
  type        = string
}

variable "region" {
  description = "Region of the stack"
  type        = string
}

# No optional attributes: the kit sends every one, and a misspelt one must not pass for an absent one.
variable "venues" {
  description = "The venues of this stack, by their names in the inventory"
  type = map(object({
    role_name                  = string
    role_path                  = string
    max_session_duration       = number
    permissions_boundary       = string
    principal_arn_patterns     = list(string)
    trusted_accounts           = list(string)
    require_mfa                = bool
    principal_org_id           = string
    source_cidrs               = list(string)
    allow_source_identity      = bool
    allow_session_tags         = bool
    s3_buckets                 = list(string)
    s3_allow_delete            = bool
    kms_key_arns               = list(string)
    ecr_repository_prefixes    = list(string)
    external_id_parameter      = string
    external_id_parameter_type = string
    external_id_kms_key        = string
    tags                       = map(string)
  }))
}

variable "external_ids" {
  description = "The external IDs of each venue"
  type = map(object({
    current  = string
    incoming = string
  }))
  sensitive = true
}
