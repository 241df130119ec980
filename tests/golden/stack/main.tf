module "venue" {
  source   = "./modules/venue_access"
  for_each = var.venues

  partition  = var.partition
  account_id = var.account_id
  region     = var.region
  tags       = each.value.tags

  role_name            = each.value.role_name
  role_path            = each.value.role_path
  max_session_duration = each.value.max_session_duration
  permissions_boundary = each.value.permissions_boundary

  external_id            = var.external_ids[each.key].current
  incoming_external_id   = var.external_ids[each.key].incoming
  principal_arn_patterns = each.value.principal_arn_patterns
  trusted_accounts       = each.value.trusted_accounts
  require_mfa            = each.value.require_mfa
  principal_org_id       = each.value.principal_org_id
  source_cidrs           = each.value.source_cidrs
  allow_source_identity  = each.value.allow_source_identity
  allow_session_tags     = each.value.allow_session_tags

  s3_buckets      = each.value.s3_buckets
  s3_allow_delete = each.value.s3_allow_delete
  kms_key_arns    = each.value.kms_key_arns

  ecr_repository_prefixes = each.value.ecr_repository_prefixes

  external_id_parameter      = each.value.external_id_parameter
  external_id_parameter_type = each.value.external_id_parameter_type
  external_id_kms_key        = each.value.external_id_kms_key
}
