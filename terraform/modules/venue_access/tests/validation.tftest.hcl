# What the module refuses, before any provider is asked. A run fails unless every variable it lists is refused.

mock_provider "aws" {}

variables {
  role_name                         = "unity-unity-dev-sts"
  role_description                  = "Access to a venue"
  force_detach_policies             = true
  trust_policy                      = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Action\":\"sts:AssumeRole\",\"Condition\":{\"StringEquals\":{\"sts:ExternalId\":\"the-current-id\"}}}]}"
  policies                          = { s3 = { name = "unity-unity-dev-sts-s3", document = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" } }
  external_id                       = "the-current-id"
  external_id_parameter             = "/unity/unity/dev/cs/sts/role/external-id"
  external_id_parameter_description = "External ID"
}

run "plainest_venue_is_accepted" {
  command = plan
}

run "fullest_venue_is_accepted" {
  command = plan

  variables {
    role_path            = "/unity/tokens/"
    max_session_duration = 43200
    permissions_boundary = "arn:aws-us-gov:iam::111122223333:policy/zsmce-tenantOperator-AMI-APIG"
    trust_policy         = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"Current\",\"Action\":\"sts:AssumeRole\",\"Condition\":{\"StringEquals\":{\"sts:ExternalId\":\"one\"}}},{\"Sid\":\"Pending\",\"Action\":[\"sts:AssumeRole\"],\"Condition\":{\"StringEquals\":{\"sts:ExternalId\":\"two\"}}},{\"Sid\":\"Session\",\"Action\":[\"sts:SetSourceIdentity\",\"sts:TagSession\"]}]}"
    external_id          = "Az09_+=,.@:/-"
    external_id_kms_key  = "alias/venue-access"
    tags                 = { "Größe" = "a b", Empty = "" }
  }
}

run "wrong_forms_are_refused" {
  command = plan

  variables {
    role_name             = "unity dev"
    role_path             = "/unity"
    max_session_duration  = 3599
    permissions_boundary  = "zsmce-tenantOperator-AMI-APIG"
    trust_policy          = "{"
    policies              = { s3 = { name = "with space", document = "{\"Statement\":[]}" } }
    external_id           = "with space"
    external_id_parameter = "unity/dev"
    external_id_kms_key   = "a key"
    tags                  = { "aws:owner" = "me" }
  }

  expect_failures = [
    var.role_name,
    var.role_path,
    var.max_session_duration,
    var.permissions_boundary,
    var.trust_policy,
    var.policies,
    var.external_id,
    var.external_id_parameter,
    var.external_id_kms_key,
    var.tags,
  ]
}

run "wrong_lengths_are_refused" {
  command = plan

  variables {
    role_name                         = "r2345678901234567890123456789012345678901234567890123456789012345"
    role_description                  = join("", [for i in range(1001) : "x"])
    max_session_duration              = 43201
    policies                          = { s3 = { name = "", document = "{\"Statement\":[]}" } }
    external_id                       = "1"
    external_id_parameter             = "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16"
    external_id_parameter_description = join("", [for i in range(1024) : "xx"])
    tags                              = { for i in range(51) : "key-${i}" => "" }
  }

  expect_failures = [
    var.role_name,
    var.role_description,
    var.max_session_duration,
    var.policies,
    var.external_id,
    var.external_id_parameter,
    var.external_id_parameter_description,
    var.tags,
  ]
}

run "role_that_can_be_assumed_without_an_external_id_is_refused" {
  command = plan

  variables {
    trust_policy = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Action\":[\"sts:TagSession\",\"sts:AssumeRole\"],\"Condition\":{\"StringEqualsIfExists\":{\"sts:ExternalId\":\"the-current-id\"}}}]}"
  }

  expect_failures = [var.trust_policy]
}

run "tags_that_differ_only_in_case_and_a_document_without_statements_are_refused" {
  command = plan

  variables {
    policies = { s3 = { name = "s3", document = "{}" } }
    tags     = { Name = "one", name = "two" }
  }

  expect_failures = [
    var.policies,
    var.tags,
  ]
}

run "string_parameter_with_a_key_is_refused" {
  command = plan

  variables {
    external_id_parameter_type = "String"
    external_id_kms_key        = "alias/venue-access"
  }

  expect_failures = [var.external_id_kms_key]
}

# Apart from the others: external_id_kms_key is checked together with it, and not at all where it is refused.
run "unknown_type_is_refused" {
  command = plan

  variables {
    external_id_parameter_type = "Text"
  }

  expect_failures = [var.external_id_parameter_type]
}

run "parameter_that_is_a_string_stays_one" {
  command = plan

  variables {
    external_id_parameter_type = "String"
  }

  assert {
    condition     = aws_ssm_parameter.external_id.type == "String"
    error_message = "The type must be the given one."
  }
}
