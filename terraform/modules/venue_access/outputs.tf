################################################################################
# IAM Role
################################################################################

output "role_arn" {
  description = "ARN of the role that a token is a session of"
  value       = aws_iam_role.this.arn
}

output "role_name" {
  description = "Name of the role"
  value       = aws_iam_role.this.name
}

output "role_id" {
  description = "Unique ID of the role; `aws:userid` of a session is this, a colon and the session's name"
  value       = aws_iam_role.this.unique_id
}

output "policy_arns" {
  description = "ARNs of the managed policies, by service"
  value       = { for service, policy in aws_iam_policy.this : service => policy.arn }
}

################################################################################
# External ID Parameter
################################################################################

output "external_id_parameter" {
  description = "Name of the SSM parameter that holds the external ID"
  value       = aws_ssm_parameter.external_id.name
}
