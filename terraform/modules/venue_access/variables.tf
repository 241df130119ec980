################################################################################
# IAM Role
################################################################################

variable "role_name" {
  description = "Name of the role"
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[\\w+=,.@-]{1,64}$", var.role_name))
    error_message = "role_name must be 1-64 letters, digits or _+=,.@-."
  }
}

variable "role_path" {
  description = "Path of the role and of its managed policies"
  type        = string
  default     = "/"
  nullable    = false

  validation {
    condition     = can(regex("^/([\\w+=,.@-]+/)*$", var.role_path)) && length(var.role_path) <= 512
    error_message = "role_path must begin and end with a slash."
  }
}

variable "role_description" {
  description = "Description of the role"
  type        = string
  nullable    = false

  validation {
    condition     = length(var.role_description) <= 1000
    error_message = "role_description must be 1000 characters at most."
  }
}

variable "max_session_duration" {
  description = "Longest session of the role, in seconds"
  type        = number
  default     = 3600
  nullable    = false

  validation {
    condition     = var.max_session_duration >= 3600 && var.max_session_duration <= 43200 && floor(var.max_session_duration) == var.max_session_duration
    error_message = "max_session_duration must be a whole number of seconds from 3600 to 43200."
  }
}

variable "permissions_boundary" {
  description = "ARN of the policy that bounds what the role may do"
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary == null || can(regex("^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/[\\w+=,.@/-]+$", var.permissions_boundary))
    error_message = "permissions_boundary must be the ARN of a managed policy."
  }
}

variable "force_detach_policies" {
  description = "Whether the destruction of the role detaches policies that others attached, without which AWS refuses to delete it"
  type        = bool
  nullable    = false
}

variable "trust_policy" {
  description = "Trust policy of the role, as JSON; it holds the external IDs"
  type        = string
  sensitive   = true
  nullable    = false

  validation {
    condition     = can(jsondecode(var.trust_policy).Statement)
    error_message = "trust_policy must be a policy document as JSON."
  }

  # A plain StringEquals: a request without an external ID fails it.
  validation {
    condition = alltrue([
      for statement in try(flatten([jsondecode(var.trust_policy).Statement]), []) :
      can(statement.Condition.StringEquals["sts:ExternalId"]) || !contains(try(flatten([statement.Action]), []), "sts:AssumeRole")
    ])
    error_message = "Every statement of trust_policy that allows sts:AssumeRole must demand an external ID."
  }
}

variable "policies" {
  description = "Managed policies of the role, by service: name and JSON document of each"
  type        = map(object({ name = string, document = string }))
  nullable    = false

  validation {
    condition     = alltrue([for policy in var.policies : can(regex("^[\\w+=,.@-]{1,128}$", policy.name))])
    error_message = "The name of a policy must be 1-128 letters, digits or _+=,.@-."
  }

  validation {
    condition     = alltrue([for policy in var.policies : can(jsondecode(policy.document).Statement)])
    error_message = "The document of a policy must be a policy document as JSON."
  }
}

################################################################################
# External ID Parameter
################################################################################

variable "external_id" {
  description = "First value of the parameter: the current external ID"
  type        = string
  sensitive   = true
  nullable    = false

  # Two checks, as the expression language repeats at most 1000 times.
  validation {
    condition     = can(regex("^[\\w+=,.@:/-]+$", var.external_id)) && length(var.external_id) >= 2 && length(var.external_id) <= 1224
    error_message = "external_id must be 2-1224 letters, digits or _+=,.@:/-."
  }
}

variable "external_id_parameter" {
  description = "Name of the SSM parameter that holds the external ID"
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^(/[A-Za-z0-9_.-]+){1,15}$", var.external_id_parameter))
    error_message = "external_id_parameter must be 1-15 levels of letters, digits or _.-, each after a slash."
  }
}

variable "external_id_parameter_description" {
  description = "Description of the SSM parameter"
  type        = string
  nullable    = false

  validation {
    condition     = length(var.external_id_parameter_description) <= 1024
    error_message = "external_id_parameter_description must be 1024 characters at most."
  }
}

variable "external_id_parameter_type" {
  description = "Type of the parameter: `SecureString`, or that of one that exists, which AWS does not change"
  type        = string
  default     = "SecureString"
  nullable    = false

  validation {
    condition     = contains(["SecureString", "String", "StringList"], var.external_id_parameter_type)
    error_message = "external_id_parameter_type must be SecureString, String or StringList."
  }
}

variable "external_id_kms_key" {
  description = "ID, ARN or alias of the KMS key that encrypts a SecureString; null keeps the present key, and gives a new parameter the account's default key"
  type        = string
  default     = null

  validation {
    condition     = var.external_id_kms_key == null || can(regex("^[A-Za-z0-9:/_-]+$", var.external_id_kms_key))
    error_message = "external_id_kms_key must be the ID, ARN or alias of a KMS key."
  }

  # AWS reports no key of a String, so a key there would be a change at each plan.
  validation {
    condition     = var.external_id_kms_key == null || var.external_id_parameter_type == "SecureString"
    error_message = "external_id_kms_key must be null unless the parameter is a SecureString."
  }
}

################################################################################
# Tags
################################################################################

variable "tags" {
  description = "Tags of the role, the policies and the parameter"
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(var.tags) <= 50
    error_message = "AWS takes at most 50 tags."
  }

  # Lengths apart: a class of every letter, 256 times over, would take a regular expression longer to build than all the
  # rest of a plan. And all tags in one text, which no line break can be part of.
  validation {
    condition = alltrue([
      for key, value in var.tags :
      length(key) >= 1 && length(key) <= 128 && length(value) <= 256 && !startswith(lower(key), "aws:")
    ]) && can(regex("^[\\p{L}\\p{Z}\\p{N}_.:/=+@-]*$", join("", concat(keys(var.tags), values(var.tags)))))
    error_message = "A tag's key is 1-128 and its value 0-256 letters, digits, spaces or _.:/=+@-, and no key begins with aws:."
  }

  # IAM tells keys apart without regard to case.
  validation {
    condition     = length(distinct([for key in keys(var.tags) : lower(key)])) == length(var.tags)
    error_message = "Two tags differ only in the case of their keys."
  }
}
