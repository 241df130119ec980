################################################################################
# IAM Role
################################################################################

resource "aws_iam_role" "this" {
  name                 = var.role_name
  path                 = var.role_path
  description          = var.role_description
  assume_role_policy   = var.trust_policy
  max_session_duration = var.max_session_duration
  permissions_boundary = var.permissions_boundary

  force_detach_policies = var.force_detach_policies

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
  for_each = var.policies

  name   = each.value.name
  path   = var.role_path
  policy = each.value.document

  tags = var.tags

  # AWS cannot change it, so an imported policy that has one would be destroyed and created again to lose it.
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
# External ID Parameter
################################################################################

resource "aws_ssm_parameter" "external_id" {
  name        = var.external_id_parameter
  description = var.external_id_parameter_description
  type        = var.external_id_parameter_type
  key_id      = var.external_id_kms_key
  value       = var.external_id

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
