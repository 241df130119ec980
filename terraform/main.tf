# The root module of a stack: copied as it is, beside a rendered versions.tf and the stack's values in *.auto.tfvars.json.

module "venue" {
  source   = "./modules/venue_access"
  for_each = var.venues

  role_name             = each.value.role_name
  role_path             = each.value.role_path
  role_description      = each.value.role_description
  max_session_duration  = each.value.max_session_duration
  permissions_boundary  = each.value.permissions_boundary
  force_detach_policies = each.value.force_detach_policies
  trust_policy          = var.trust_policies[each.key]
  policies              = each.value.policies

  external_id                       = var.external_ids[each.key]
  external_id_parameter             = each.value.external_id_parameter
  external_id_parameter_description = each.value.external_id_parameter_description
  external_id_parameter_type        = each.value.external_id_parameter_type
  external_id_kms_key               = each.value.external_id_kms_key

  tags = each.value.tags
}
