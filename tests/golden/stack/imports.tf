# Objects that exist already: imported rather than created.

import {
  to = module.venue["unity-dev"].aws_iam_role.this
  id = "unity-unity-dev-sts"
}

import {
  to = module.venue["unity-dev"].aws_iam_policy.this["s3"]
  id = "arn:aws:iam::111122223333:policy/unity-unity-dev-sts-s3"
}

import {
  to = module.venue["unity-dev"].aws_iam_policy.this["ecr"]
  id = "arn:aws:iam::111122223333:policy/unity-unity-dev-sts-ecr"
}

import {
  to = module.venue["unity-dev"].aws_iam_role_policy_attachment.this["s3"]
  id = "unity-unity-dev-sts/arn:aws:iam::111122223333:policy/unity-unity-dev-sts-s3"
}

import {
  to = module.venue["unity-dev"].aws_iam_role_policy_attachment.this["ecr"]
  id = "unity-unity-dev-sts/arn:aws:iam::111122223333:policy/unity-unity-dev-sts-ecr"
}

import {
  to = module.venue["unity-dev"].aws_ssm_parameter.external_id
  id = "/unity/unity/dev/cs/sts/role/external-id"
}
