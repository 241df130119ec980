# What the policies say. The provider is the real one, as a mocked one makes up the documents too; nothing here calls
# AWS, since documents are made locally and nothing is applied.

provider "aws" {
  region                      = "us-west-2"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

variables {
  partition               = "aws"
  account_id              = "111122223333"
  region                  = "us-west-2"
  role_name               = "unity-unity-dev-sts"
  external_id             = "the-current-id"
  principal_arn_patterns  = ["arn:aws:iam::111122223333:role/portal-admin"]
  s3_buckets              = ["unity-dev-data"]
  ecr_repository_prefixes = ["unity-dev/"]
  external_id_parameter   = "/unity/unity/dev/cs/sts/role/external-id"
}

run "a_plain_venue" {
  command = plan

  assert {
    condition = jsondecode(data.aws_iam_policy_document.trust.json).Statement == [{
      Sid       = "Current"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::111122223333:root" }
      Action    = "sts:AssumeRole"
      Condition = {
        ArnLike      = { "aws:PrincipalArn" = "arn:aws:iam::111122223333:role/portal-admin" }
        StringEquals = { "sts:ExternalId" = "the-current-id" }
      }
    }]
    error_message = "The trust policy must demand the external ID of the one trusted role, and nothing else."
  }

  assert {
    condition     = [for statement in jsondecode(data.aws_iam_policy_document.s3.json).Statement : statement.Sid] == ["Buckets", "Objects", "TlsOnly"]
    error_message = "There must be no statement on keys without keys."
  }

  assert {
    condition     = !strcontains(data.aws_iam_policy_document.s3.json, "Delete")
    error_message = "A token must not delete unless the venue says so."
  }

  assert {
    condition     = jsondecode(data.aws_iam_policy_document.ecr.json).Statement[1].Resource == "arn:aws:ecr:us-west-2:111122223333:repository/unity-dev/*"
    error_message = "Repositories must be bounded by the prefix and its slash."
  }

  assert {
    condition     = { for key, policy in aws_iam_policy.this : key => policy.name } == { ecr = "unity-unity-dev-sts-ecr", s3 = "unity-unity-dev-sts-s3" }
    error_message = "The managed policies must be named after the role."
  }

  assert {
    condition     = aws_iam_role.this.max_session_duration == 3600 && aws_iam_role.this.path == "/" && aws_iam_role.this.permissions_boundary == null
    error_message = "The role must have AWS's defaults where nothing is said."
  }

  assert {
    condition     = aws_ssm_parameter.external_id.type == "SecureString"
    error_message = "A new parameter must be encrypted."
  }
}

run "a_rotation_adds_one_statement" {
  command = plan

  variables {
    incoming_external_id = "the-incoming-id"
  }

  assert {
    condition = {
      for statement in jsondecode(data.aws_iam_policy_document.trust.json).Statement :
      statement.Sid => statement.Condition.StringEquals["sts:ExternalId"]
    } == { Current = "the-current-id", Incoming = "the-incoming-id" }
    error_message = "Each of the two IDs must have a statement of its own."
  }
}

run "a_whole_account_is_not_restricted" {
  command = plan

  variables {
    principal_arn_patterns = []
    trusted_accounts       = ["arn:aws:iam::444455556666:root"]
  }

  assert {
    condition     = jsondecode(data.aws_iam_policy_document.trust.json).Statement[0].Principal.AWS == "arn:aws:iam::444455556666:root"
    error_message = "The account must be the principal."
  }

  assert {
    condition     = keys(jsondecode(data.aws_iam_policy_document.trust.json).Statement[0].Condition) == ["StringEquals"]
    error_message = "Nothing but the external ID must restrict a whole account."
  }
}

run "a_whole_account_beside_restricted_principals_keeps_all_its_own" {
  command = plan

  variables {
    trusted_accounts = ["arn:aws:iam::444455556666:root"]
  }

  assert {
    condition = jsondecode(data.aws_iam_policy_document.trust.json).Statement[0].Condition.ArnLike["aws:PrincipalArn"] == [
      "arn:aws:iam::111122223333:role/portal-admin",
      "arn:aws:iam::444455556666:*",
      "arn:aws:sts::444455556666:*",
    ]
    error_message = "The patterns must take all of the whole account and one role of the other."
  }
}

run "further_conditions_and_session_actions" {
  command = plan

  variables {
    require_mfa           = true
    principal_org_id      = "o-a1b2c3d4e5"
    source_cidrs          = ["192.0.2.0/24", "2001:db8::/32"]
    allow_source_identity = true
    allow_session_tags    = true
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(data.aws_iam_policy_document.trust.json).Statement :
      statement.Condition.ArnLike == { "aws:PrincipalArn" = "arn:aws:iam::111122223333:role/portal-admin" } &&
      statement.Condition.Bool == { "aws:MultiFactorAuthPresent" = "true" } &&
      statement.Condition.IpAddress["aws:SourceIp"] == ["192.0.2.0/24", "2001:db8::/32"] &&
      statement.Condition.StringEquals["aws:PrincipalOrgID"] == "o-a1b2c3d4e5"
    ])
    error_message = "Every statement must be restricted in the same way."
  }

  assert {
    condition = {
      for statement in jsondecode(data.aws_iam_policy_document.trust.json).Statement :
      statement.Sid => contains(keys(statement.Condition.StringEquals), "sts:ExternalId")
    } == { Current = true, Session = false }
    error_message = "Source identity and tags come without an external ID."
  }

  assert {
    condition     = jsondecode(data.aws_iam_policy_document.trust.json).Statement[1].Action == ["sts:TagSession", "sts:SetSourceIdentity"]
    error_message = "Both actions must be allowed."
  }
}

run "source_identity_alone" {
  command = plan

  variables {
    allow_source_identity = true
  }

  assert {
    condition     = jsondecode(data.aws_iam_policy_document.trust.json).Statement[1].Action == "sts:SetSourceIdentity"
    error_message = "Tags must not be allowed along with it."
  }
}

run "keys_and_deletion_by_choice" {
  command = plan

  variables {
    s3_allow_delete      = true
    kms_key_arns         = ["arn:aws:kms:us-west-2:111122223333:key/1234abcd"]
    permissions_boundary = "arn:aws:iam::111122223333:policy/boundary"
  }

  assert {
    condition     = contains(jsondecode(data.aws_iam_policy_document.s3.json).Statement[1].Action, "s3:DeleteObject")
    error_message = "A token must be able to delete objects."
  }

  assert {
    condition = jsondecode(data.aws_iam_policy_document.s3.json).Statement[2] == {
      Sid      = "Keys"
      Effect   = "Allow"
      Action   = ["kms:GenerateDataKey", "kms:Decrypt"]
      Resource = "arn:aws:kms:us-west-2:111122223333:key/1234abcd"
    }
    error_message = "A token must be able to use the key of the bucket."
  }

  assert {
    condition     = aws_iam_role.this.permissions_boundary == "arn:aws:iam::111122223333:policy/boundary"
    error_message = "The boundary must be on the role."
  }
}

run "the_parameter_has_the_given_key" {
  command = plan

  variables {
    external_id_kms_key = "alias/venue-access"
  }

  assert {
    condition     = aws_ssm_parameter.external_id.type == "SecureString" && aws_ssm_parameter.external_id.key_id == "alias/venue-access"
    error_message = "The key must encrypt the parameter."
  }
}

run "a_parameter_that_is_a_string_stays_one" {
  command = plan

  variables {
    external_id_parameter_type = "String"
    external_id_kms_key        = "alias/venue-access"
  }

  assert {
    condition     = aws_ssm_parameter.external_id.type == "String"
    error_message = "The type must be the one that is given."
  }
}
