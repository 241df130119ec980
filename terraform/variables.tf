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
    role_name             = string
    role_path             = string
    role_description      = string
    max_session_duration  = number
    permissions_boundary  = string
    force_detach_policies = bool
    policies = map(object({
      name     = string
      document = string
    }))
    external_id_parameter             = string
    external_id_parameter_description = string
    external_id_parameter_type        = string
    external_id_kms_key               = string
    tags                              = map(string)
  }))
}

# Apart from the venues, since for_each takes no sensitive value.
variable "trust_policies" {
  description = "The trust policy of each venue's role, in which its external IDs are"
  type        = map(string)
  sensitive   = true
}

variable "external_ids" {
  description = "The current external ID of each venue"
  type        = map(string)
  sensitive   = true
}
