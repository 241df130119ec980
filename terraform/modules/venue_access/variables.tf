variable "partition" {
  description = "AWS partition of the account, such as `aws` or `aws-us-gov`"
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^aws(-[a-z]+)*$", var.partition))
    error_message = "partition must be an AWS partition such as aws, aws-us-gov or aws-cn."
  }
}

variable "account_id" {
  description = "ID of the account that the role lives in"
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be 12 digits."
  }
}

variable "region" {
  description = "Region of the container repositories"
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2,}(-[a-z]+)+-[0-9]+$", var.region))
    error_message = "region must be an AWS region such as us-west-2."
  }
}

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

################################################################################
# IAM Role
################################################################################

variable "role_name" {
  description = "Name of the role; the managed policies are named after it, with `-s3` and `-ecr`"
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

################################################################################
# Trust Policy
################################################################################

variable "external_id" {
  description = "External ID that the trust policy demands; also the first value of the parameter"
  type        = string
  sensitive   = true
  nullable    = false

  # Two checks, as the expression language repeats at most 1000 times.
  validation {
    condition     = can(regex("^[\\w+=,.@:/-]+$", var.external_id)) && length(var.external_id) >= 2 && length(var.external_id) <= 1224
    error_message = "external_id must be 2-1224 letters, digits or _+=,.@:/-."
  }
}

variable "incoming_external_id" {
  description = "External ID that the trust policy accepts besides, while the ID is rotated"
  type        = string
  default     = null
  sensitive   = true

  validation {
    condition     = var.incoming_external_id == null || (can(regex("^[\\w+=,.@:/-]+$", var.incoming_external_id)) && try(length(var.incoming_external_id) >= 2 && length(var.incoming_external_id) <= 1224, false))
    error_message = "incoming_external_id must be 2-1224 letters, digits or _+=,.@:/-."
  }
}

variable "principal_arn_patterns" {
  description = "Roles and users that may assume the role, as ARNs that may hold `*` and `?` after the account; compared with `aws:PrincipalArn`, which outlives their re-creation"
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition = alltrue([
      for pattern in var.principal_arn_patterns :
      can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/[\\w+=,.@/*?-]+$", pattern)) ||
      can(regex("^arn:aws[a-z-]*:sts::[0-9]{12}:(assumed-role|federated-user)/[\\w+=,.@/*?-]+$", pattern))
    ])
    error_message = "Each of principal_arn_patterns must be the ARN of a role or a user with a 12-digit account."
  }

  # Without a principal the trust policy would have no meaning, and AWS would refuse it only in the middle of an apply.
  validation {
    condition     = length(var.principal_arn_patterns) + length(var.trusted_accounts) > 0
    error_message = "One of principal_arn_patterns and trusted_accounts must name who may assume the role."
  }
}

variable "trusted_accounts" {
  description = "Accounts whose every principal may assume the role, as `arn:<partition>:iam::<account-id>:root`"
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.trusted_accounts : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:root$", arn))])
    error_message = "Each of trusted_accounts must be arn:<partition>:iam::<account-id>:root."
  }
}

variable "require_mfa" {
  description = "Whether only callers who signed in with MFA may assume the role; a role session never counts as one"
  type        = bool
  default     = false
  nullable    = false
}

variable "principal_org_id" {
  description = "Organization that the caller's account must belong to"
  type        = string
  default     = null

  validation {
    condition     = var.principal_org_id == null || can(regex("^o-[a-z0-9]{10,32}$", var.principal_org_id))
    error_message = "principal_org_id must be an organization's ID such as o-a1b2c3d4e5."
  }
}

variable "source_cidrs" {
  description = "Address ranges that the role may be assumed from; none means anywhere"
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.source_cidrs : can(cidrhost(cidr, 0))])
    error_message = "Each of source_cidrs must be a CIDR such as 192.0.2.0/24."
  }
}

variable "allow_source_identity" {
  description = "Whether the caller may set a source identity"
  type        = bool
  default     = false
  nullable    = false
}

variable "allow_session_tags" {
  description = "Whether the caller may pass session tags"
  type        = bool
  default     = false
  nullable    = false
}

################################################################################
# S3 Policy
################################################################################

variable "s3_buckets" {
  description = "Names of the existing buckets that a token may read and write"
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.s3_buckets) > 0
    error_message = "s3_buckets must name at least one bucket."
  }

  validation {
    condition     = alltrue([for bucket in var.s3_buckets : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", bucket))])
    error_message = "Each of s3_buckets must be a bucket name: 3-63 lower-case letters, digits, dots and hyphens."
  }
}

variable "s3_allow_delete" {
  description = "Whether a token may delete objects"
  type        = bool
  default     = false
  nullable    = false
}

variable "kms_key_arns" {
  description = "Keys that the buckets are encrypted with"
  type        = list(string)
  default     = []
  nullable    = false

  # A policy names keys by key ARN only; an alias in a Resource matches nothing.
  validation {
    condition     = alltrue([for arn in var.kms_key_arns : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", arn))])
    error_message = "Each of kms_key_arns must be the ARN of a key, not of an alias."
  }
}

################################################################################
# ECR Policy
################################################################################

variable "ecr_repository_prefixes" {
  description = "Prefixes of the repositories that a token may create, push and pull; each ends in `/`"
  type        = list(string)
  nullable    = false

  # Without the slash, unity-dev would reach into unity-dev2.
  validation {
    condition = length(var.ecr_repository_prefixes) > 0 && alltrue([
      for prefix in var.ecr_repository_prefixes :
      can(regex("^([a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*/)+$", prefix)) && length(prefix) <= 255
    ])
    error_message = "Each of ecr_repository_prefixes must be the lower-case beginning of a repository name and end in a slash."
  }
}

################################################################################
# External ID Parameter
################################################################################

variable "external_id_parameter" {
  description = "Name of the SSM parameter that holds the external ID"
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^(/[A-Za-z0-9_.-]+){1,15}$", var.external_id_parameter))
    error_message = "external_id_parameter must be 1-15 levels of letters, digits or _.-, each after a slash."
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
  description = "ID, ARN or alias of the KMS key that encrypts the parameter; null keeps the present key, and gives a new parameter the account's default key"
  type        = string
  default     = null

  validation {
    condition     = var.external_id_kms_key == null || can(regex("^[A-Za-z0-9:/_-]+$", var.external_id_kms_key))
    error_message = "external_id_kms_key must be the ID, ARN or alias of a KMS key."
  }
}
