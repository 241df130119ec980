# What the module makes of its inputs, applied with a mocked provider.

mock_provider "aws" {
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/unity-unity-dev-sts" }
  }

  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::111122223333:policy/mocked" }
  }
}

variables {
  role_name             = "unity-unity-dev-sts"
  role_description      = "Access to a venue"
  force_detach_policies = true
  trust_policy          = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"Current\",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::111122223333:root\"},\"Action\":\"sts:AssumeRole\",\"Condition\":{\"StringEquals\":{\"sts:ExternalId\":\"the-current-id\"}}}]}"
  policies = {
    s3  = { name = "unity-unity-dev-sts-s3", document = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"s3\"}]}" }
    ecr = { name = "unity-unity-dev-sts-ecr", document = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"ecr\"}]}" }
  }
  external_id                       = "the-current-id"
  external_id_parameter             = "/unity/unity/dev/cs/sts/role/external-id"
  external_id_parameter_description = "External ID"
}

run "documents_are_used_as_they_are" {
  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy) == jsondecode(var.trust_policy)
    error_message = "The role must have the given trust policy."
  }

  assert {
    condition     = keys(aws_iam_policy.this) == ["ecr", "s3"] && alltrue([for key, policy in aws_iam_policy.this : policy.name == var.policies[key].name && jsondecode(policy.policy) == jsondecode(var.policies[key].document)])
    error_message = "The managed policies must have the given names and documents."
  }

  assert {
    condition     = keys(aws_iam_role_policy_attachment.this) == ["ecr", "s3"] && alltrue([for each in aws_iam_role_policy_attachment.this : each.role == "unity-unity-dev-sts"])
    error_message = "Each policy must be attached to the role."
  }
}

run "defaults_are_those_of_aws" {
  assert {
    condition     = aws_iam_role.this.max_session_duration == 3600 && aws_iam_role.this.path == "/" && aws_iam_role.this.permissions_boundary == null
    error_message = "The role must have AWS's defaults where nothing is given."
  }

  assert {
    condition     = aws_ssm_parameter.external_id.type == "SecureString" && aws_ssm_parameter.external_id.value == "the-current-id"
    error_message = "A new parameter must be encrypted and have the external ID."
  }
}

run "every_attribute_is_the_given_one" {
  variables {
    role_path            = "/unity/"
    max_session_duration = 7200
    permissions_boundary = "arn:aws:iam::111122223333:policy/boundary"
    external_id_kms_key  = "alias/venue-access"
    tags                 = { Owner = "anna" }
  }

  assert {
    condition     = aws_iam_role.this.path == "/unity/" && aws_iam_policy.this["s3"].path == "/unity/" && aws_iam_role.this.max_session_duration == 7200
    error_message = "The path and the longest session must be the given ones."
  }

  assert {
    condition     = aws_iam_role.this.permissions_boundary == "arn:aws:iam::111122223333:policy/boundary"
    error_message = "The boundary must be on the role."
  }

  assert {
    condition     = aws_iam_role.this.description == "Access to a venue" && aws_iam_role.this.force_detach_policies && aws_ssm_parameter.external_id.description == "External ID"
    error_message = "The descriptions and force_detach_policies must be the given ones."
  }

  assert {
    condition     = aws_ssm_parameter.external_id.key_id == "alias/venue-access"
    error_message = "The key must encrypt the parameter."
  }

  assert {
    condition     = aws_iam_role.this.tags.Owner == "anna" && aws_iam_policy.this["ecr"].tags.Owner == "anna" && aws_ssm_parameter.external_id.tags.Owner == "anna"
    error_message = "Every resource must have the tags."
  }
}
