output "venues" {
  description = "What the kit needs to know of each venue; nothing confidential"
  value = {
    for name, venue in module.venue : name => {
      role_arn              = venue.role_arn
      role_id               = venue.role_id
      policy_arns           = venue.policy_arns
      external_id_parameter = venue.external_id_parameter
    }
  }
}
