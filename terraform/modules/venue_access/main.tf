locals {
  # The roots that the principals live in. An ARN's fields are arn:partition:service:region:account:resource.
  restricted_accounts = [
    for pattern in var.principal_arn_patterns :
    format("arn:%s:iam::%s:root", split(":", pattern)[1], split(":", pattern)[4])
  ]
  principals = sort(distinct(concat(local.restricted_accounts, var.trusted_accounts)))

  # One statement serves restricted principals and whole accounts. Where both are given, a whole account needs patterns
  # that match all its principals, or the others' ArnLike would shut it out: `iam` for roles, users and the root,
  # `sts` for federated users. A pattern carries its own account, so none opens an account to another's principals.
  whole_accounts = flatten([
    for root in var.trusted_accounts : [
      replace(root, "/:root$/", ":*"),
      replace(replace(root, "/:root$/", ":*"), ":iam:", ":sts:"),
    ]
  ])
  principal_arns = length(var.principal_arn_patterns) == 0 ? [] : sort(distinct(concat(var.principal_arn_patterns, local.whole_accounts)))

  # What restricts every statement of the trust policy. The map's keys are only for reading.
  trust_conditions = { for name, condition in {
    principal = { test = "ArnLike", variable = "aws:PrincipalArn", values = local.principal_arns }
    org       = { test = "StringEquals", variable = "aws:PrincipalOrgID", values = var.principal_org_id[*] }
    mfa       = { test = "Bool", variable = "aws:MultiFactorAuthPresent", values = var.require_mfa ? ["true"] : [] }
    address   = { test = "IpAddress", variable = "aws:SourceIp", values = var.source_cidrs }
  } : name => condition if length(condition.values) > 0 }

  # Whether an ID is coming in is no secret, and Terraform builds no blocks from a sensitive value.
  rotating = nonsensitive(var.incoming_external_id != null)

  # STS refuses the whole AssumeRole call where it brings a source identity or tags that the trust policy does not
  # allow. These actions carry no external ID, so they must not share a statement with it; they share one with each
  # other, as each statement repeats the principals and the whole may have 2,048 characters.
  session_actions = concat(
    var.allow_source_identity ? ["sts:SetSourceIdentity"] : [],
    var.allow_session_tags ? ["sts:TagSession"] : [],
  )
}

################################################################################
# IAM Role
################################################################################

resource "aws_iam_role" "this" {
  name        = var.role_name
  path        = var.role_path
  description = "Short-term access to a venue's data bucket and containers, for people without an account"

  # A provider's answer is not sensitive, whatever went into the question: without the mark a plan shows the external ID.
  assume_role_policy   = sensitive(data.aws_iam_policy_document.trust.json)
  max_session_duration = var.max_session_duration
  permissions_boundary = var.permissions_boundary

  # Others may attach policies of theirs; a role that is to go must not stay, still open, because of them.
  force_detach_policies = true

  tags = var.tags

  # The rotation keeps the end of a grace period in this tag: provisioning leaves it alone, and it is no drift.
  lifecycle {
    ignore_changes = [
      tags["venue-access:grace-until"],
      tags_all["venue-access:grace-until"],
    ]
  }
}

resource "aws_iam_policy" "this" {
  for_each = {
    s3  = data.aws_iam_policy_document.s3.json
    ecr = data.aws_iam_policy_document.ecr.json
  }

  name   = "${var.role_name}-${each.key}"
  path   = var.role_path
  policy = each.value

  tags = var.tags

  # AWS cannot change it, so an imported policy that has one would be destroyed and made anew to be rid of it.
  lifecycle {
    ignore_changes = [description]
  }
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = aws_iam_policy.this

  role       = aws_iam_role.this.name
  policy_arn = each.value.arn
}

################################################################################
# Trust Policy
################################################################################

data "aws_iam_policy_document" "trust" {
  # The rotation reads the IDs from the statements whose Sid begins with Current or Incoming.
  dynamic "statement" {
    for_each = local.rotating ? ["Current", "Incoming"] : ["Current"]

    content {
      sid     = statement.value
      actions = ["sts:AssumeRole"]

      principals {
        type        = "AWS"
        identifiers = local.principals
      }

      # Plain StringEquals: a request that brings no external ID fails it, unlike ...IfExists.
      condition {
        test     = "StringEquals"
        variable = "sts:ExternalId"
        values   = [statement.value == "Current" ? var.external_id : var.incoming_external_id]
      }

      dynamic "condition" {
        for_each = local.trust_conditions

        content {
          test     = condition.value.test
          variable = condition.value.variable
          values   = condition.value.values
        }
      }
    }
  }

  dynamic "statement" {
    for_each = length(local.session_actions) > 0 ? ["Session"] : []

    content {
      sid     = statement.value
      actions = local.session_actions

      principals {
        type        = "AWS"
        identifiers = local.principals
      }

      dynamic "condition" {
        for_each = local.trust_conditions

        content {
          test     = condition.value.test
          variable = condition.value.variable
          values   = condition.value.values
        }
      }
    }
  }
}

################################################################################
# S3 Policy
################################################################################

locals {
  bucket_arns = [for bucket in var.s3_buckets : "arn:${var.partition}:s3:::${bucket}"]
  object_arns = [for arn in local.bucket_arns : "${arn}/*"]
}

data "aws_iam_policy_document" "s3" {
  statement {
    sid = "Buckets"
    actions = [
      "s3:GetBucketLocation",
      "s3:ListBucket",
      "s3:ListBucketMultipartUploads",
    ]
    resources = local.bucket_arns
  }

  statement {
    sid = "Objects"
    actions = concat([
      "s3:AbortMultipartUpload",
      "s3:GetObject",
      "s3:ListMultipartUploadParts",
      "s3:PutObject",
    ], var.s3_allow_delete ? ["s3:DeleteObject"] : [])
    resources = local.object_arns
  }

  dynamic "statement" {
    for_each = length(var.kms_key_arns) > 0 ? ["Keys"] : []

    content {
      sid = statement.value
      # GenerateDataKey to put an object, Decrypt to get one and to put one in parts.
      actions = [
        "kms:Decrypt",
        "kms:GenerateDataKey",
      ]
      resources = var.kms_key_arns
    }
  }

  # Here and not in the bucket's own policy, which is not ours to overwrite.
  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = concat(local.bucket_arns, local.object_arns)

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

################################################################################
# ECR Policy
################################################################################

data "aws_iam_policy_document" "ecr" {
  # It has no resource to scope it by; what the login may do is bounded by the next statement.
  statement {
    sid       = "Login"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    sid = "Repositories"
    actions = [
      "ecr:BatchCheckLayerAvailability",
      "ecr:BatchGetImage",
      "ecr:CompleteLayerUpload",
      "ecr:CreateRepository",
      "ecr:DescribeImages",
      "ecr:DescribeRepositories",
      "ecr:GetDownloadUrlForLayer",
      "ecr:InitiateLayerUpload",
      "ecr:ListImages",
      "ecr:PutImage",
      "ecr:TagResource",
      "ecr:UploadLayerPart",
    ]
    resources = [
      for prefix in var.ecr_repository_prefixes :
      "arn:${var.partition}:ecr:${var.region}:${var.account_id}:repository/${prefix}*"
    ]
  }
}

################################################################################
# External ID Parameter
################################################################################

resource "aws_ssm_parameter" "external_id" {
  name        = var.external_id_parameter
  description = "External ID that the trust policy of ${var.role_name} demands"
  type        = var.external_id_parameter_type
  # AWS reports no key of a String, so one that were set would be a change at each plan.
  key_id = var.external_id_parameter_type == "SecureString" ? var.external_id_kms_key : null
  value  = var.external_id

  tags = var.tags

  # Terraform owns that the parameter exists, the rotation owns its value. Not value_wo: with it, a later change of
  # another attribute would write an empty value.
  #
  # Every update other than of tags is a PutParameter: it sends the value in the state, which a rotation may have
  # replaced, and raises the version. So only the key is changed in place, and only where the inventory names one. AWS
  # does not change a type (SSM API, PutParameter, HierarchyTypeMismatchException).
  lifecycle {
    ignore_changes = [allowed_pattern, data_type, description, tier, type, value]
  }
}
