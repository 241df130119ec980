# What the module refuses, before any provider is asked. A run fails unless every variable it lists is refused.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
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

run "the_plainest_venue_is_taken" {
  command = plan
}

run "the_fullest_venue_is_taken" {
  command = plan

  variables {
    partition               = "aws-us-gov"
    region                  = "us-gov-west-1"
    role_path               = "/unity/tokens/"
    max_session_duration    = 43200
    permissions_boundary    = "arn:aws-us-gov:iam::111122223333:policy/zsmce-tenantOperator-AMI-APIG"
    external_id             = "Az09_+=,.@:/-"
    incoming_external_id    = "22"
    principal_arn_patterns  = ["arn:aws-us-gov:iam::111122223333:role/sso/Portal*", "arn:aws-us-gov:iam::111122223333:user/anna"]
    trusted_accounts        = ["arn:aws-us-gov:iam::444455556666:root"]
    require_mfa             = true
    principal_org_id        = "o-a1b2c3d4e5"
    source_cidrs            = ["192.0.2.0/24", "2001:db8::/32"]
    allow_source_identity   = true
    allow_session_tags      = true
    s3_buckets              = ["unity-dev-data", "unity.dev.more"]
    s3_allow_delete         = true
    kms_key_arns            = ["arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/mrk-1234abcd"]
    ecr_repository_prefixes = ["unity/dev__2/", "tropess/"]
    tags                    = { "Größe" = "a b", Empty = "" }
  }
}

run "what_is_not_of_its_form_is_refused" {
  command = plan

  variables {
    partition               = "amazon"
    account_id              = "1112222333"
    region                  = "Oregon"
    role_name               = "unity dev"
    role_path               = "/unity"
    max_session_duration    = 3599
    permissions_boundary    = "zsmce-tenantOperator-AMI-APIG"
    external_id             = "with space"
    incoming_external_id    = "with\nnewline"
    principal_arn_patterns  = ["*"]
    principal_org_id        = "r-a1b2"
    source_cidrs            = ["192.0.2.0"]
    s3_buckets              = ["unity-dev-data/*"]
    kms_key_arns            = ["arn:aws:kms:us-west-2:111122223333:alias/data"]
    ecr_repository_prefixes = ["unity-dev"]
    external_id_parameter   = "unity/dev"
    tags                    = { "aws:owner" = "me" }
  }

  expect_failures = [
    var.partition,
    var.account_id,
    var.region,
    var.role_name,
    var.role_path,
    var.max_session_duration,
    var.permissions_boundary,
    var.external_id,
    var.incoming_external_id,
    var.principal_arn_patterns,
    var.principal_org_id,
    var.source_cidrs,
    var.s3_buckets,
    var.kms_key_arns,
    var.ecr_repository_prefixes,
    var.external_id_parameter,
    var.tags,
  ]
}

run "what_has_the_wrong_length_is_refused" {
  command = plan

  variables {
    role_name               = "r2345678901234567890123456789012345678901234567890123456789012345"
    max_session_duration    = 43201
    external_id             = "1"
    incoming_external_id    = join("", [for i in range(1000) : "xx"])
    principal_arn_patterns  = []
    s3_buckets              = []
    ecr_repository_prefixes = []
    external_id_parameter   = "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16"
    tags                    = { for i in range(51) : "key-${i}" => "" }
  }

  expect_failures = [
    var.role_name,
    var.max_session_duration,
    var.external_id,
    var.incoming_external_id,
    var.principal_arn_patterns,
    var.s3_buckets,
    var.ecr_repository_prefixes,
    var.external_id_parameter,
    var.tags,
  ]
}

run "principals_of_every_account_are_refused" {
  command = plan

  variables {
    principal_arn_patterns = ["arn:aws:iam::*:role/portal-admin"]
    tags                   = { Name = "one", name = "two" }
  }

  expect_failures = [
    var.principal_arn_patterns,
    var.tags,
  ]
}

# Apart from the others: principal_arn_patterns is checked together with it, and not at all where it is refused.
run "every_account_is_refused" {
  command = plan

  variables {
    trusted_accounts = ["*", "arn:aws:iam::*:root"]
  }

  expect_failures = [var.trusted_accounts]
}
