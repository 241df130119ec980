"""What a token may do, as rows of ``tests/data/permissions.yml``, and the real call that tries each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from botocore.exceptions import ClientError

from venue_access.inventory.model import Venue

MATRIX = Path(__file__).parents[1] / "data" / "permissions.yml"

AwsResponse = Literal["allowed", "denied"]

_DIGEST = "sha256:" + "0" * 64
_UPLOAD = "00000000-0000-0000-0000-000000000000"

# What the services answer where the caller lacks the right; anything else was said after they had let the call pass.
_REFUSALS = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnauthorizedAccess", "Forbidden", "403"}
)


EMULATOR_MISJUDGES = frozenset({"ecr:DescribeRepositories", "ecr:TagResource"})
"""Actions that MiniStack 1.5.33 holds against ``*``, not against the repositories that the request names."""


@dataclass(frozen=True)
class Row:
    """One line of the matrix: what an action on a resource must come to."""

    action: str
    resource: str
    expected: AwsResponse
    given: str | None = None

    @property
    def service(self) -> str:
        return self.action.partition(":")[0]

    def __str__(self) -> str:
        return f"{self.action} on {self.resource}" + (f" given {self.given}" if self.given else "")


def matrix() -> list[Row]:
    """Every row of the matrix."""
    return [Row(**row) for row in yaml.safe_load(MATRIX.read_text(encoding="utf-8"))]


def resources(venue: Venue, bucket: str) -> dict[str, str]:
    """The ARNs of the resources that rows name.

    To be probed, the buckets and the object in ``own_bucket`` must exist, apart from ``new_bucket``; in a bucket that
    does not exist everything is NoSuchBucket, whoever asks.
    """
    partition, region, account = venue.partition, venue.region, venue.account_id
    repositories = f"arn:{partition}:ecr:{region}:{account}:repository"
    prefix = venue.ecr_repository_prefixes[0]
    return {
        "anything": "*",
        "own_bucket": f"arn:{partition}:s3:::{bucket}",
        "own_object": f"arn:{partition}:s3:::{bucket}/probe",
        "other_bucket": f"arn:{partition}:s3:::other-venue",
        "other_object": f"arn:{partition}:s3:::other-venue/probe",
        "neighbour_bucket": f"arn:{partition}:s3:::{bucket}2",
        "neighbour_object": f"arn:{partition}:s3:::{bucket}2/probe",
        "new_bucket": f"arn:{partition}:s3:::{bucket}-new",
        "own_key": f"arn:{partition}:kms:{region}:{account}:key/00000000-0000-0000-0000-000000000000",
        "own_repository": f"{repositories}/{prefix}probe",
        "neighbour_repository": f"{repositories}/{prefix.rstrip('/')}2/probe",
        "nested_repository": f"{repositories}/other/{prefix}probe",
        "own_role": venue.role_arn,
        "other_role": f"arn:{partition}:iam::{account}:role/other",
        "new_user": f"arn:{partition}:iam::{account}:user/probe",
        "own_parameter": f"arn:{partition}:ssm:{region}:{account}:parameter{venue.external_id_parameter}",
    }


def probe(row: Row, clients: Mapping[str, Any], arns: Mapping[str, str]) -> AwsResponse:
    """Try a row with a real call: denied only where the service says so, allowed whatever else it says.

    :param clients: boto3 clients made from a token, by service.
    :param arns: what ``resources`` gives.
    """
    call = _CALLS[row.action]
    try:
        call(clients[row.service], _Target(arns[row.resource]))
    except ClientError as error:
        return "denied" if error.response["Error"]["Code"] in _REFUSALS else "allowed"
    return "allowed"


@dataclass(frozen=True)
class _Target:
    arn: str

    @property
    def bucket(self) -> str:
        return self.arn.rpartition(":")[2].partition("/")[0]

    @property
    def object(self) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": self.arn.partition("/")[2]}

    @property
    def repository(self) -> str:
        return self.arn.partition("repository/")[2]

    @property
    def name(self) -> str:
        return self.arn.rpartition("/")[2]

    @property
    def parameter(self) -> str:
        return self.arn.partition(":parameter")[2]


_NO_STATEMENTS = '{"Version": "2012-10-17", "Statement": []}'

_CALLS: dict[str, Callable[[Any, _Target], object]] = {
    "s3:ListBucket": lambda s3, on: s3.list_objects_v2(Bucket=on.bucket),
    "s3:GetBucketLocation": lambda s3, on: s3.get_bucket_location(Bucket=on.bucket),
    "s3:ListBucketMultipartUploads": lambda s3, on: s3.list_multipart_uploads(Bucket=on.bucket),
    "s3:GetObject": lambda s3, on: s3.get_object(**on.object),
    "s3:PutObject": lambda s3, on: s3.put_object(**on.object, Body=b"probe"),
    "s3:AbortMultipartUpload": lambda s3, on: s3.abort_multipart_upload(**on.object, UploadId="none"),
    "s3:ListMultipartUploadParts": lambda s3, on: s3.list_parts(**on.object, UploadId="none"),
    "s3:DeleteObject": lambda s3, on: s3.delete_object(**on.object),
    "s3:DeleteObjectVersion": lambda s3, on: s3.delete_object(**on.object, VersionId="none"),
    "s3:GetObjectAcl": lambda s3, on: s3.get_object_acl(**on.object),
    "s3:PutObjectAcl": lambda s3, on: s3.put_object_acl(**on.object, ACL="private"),
    "s3:PutObjectTagging": lambda s3, on: s3.put_object_tagging(**on.object, Tagging={"TagSet": []}),
    "s3:DeleteBucket": lambda s3, on: s3.delete_bucket(Bucket=on.bucket),
    "s3:GetBucketPolicy": lambda s3, on: s3.get_bucket_policy(Bucket=on.bucket),
    "s3:PutBucketPolicy": lambda s3, on: s3.put_bucket_policy(Bucket=on.bucket, Policy=_NO_STATEMENTS),
    "s3:PutBucketVersioning": lambda s3, on: s3.put_bucket_versioning(
        Bucket=on.bucket, VersioningConfiguration={"Status": "Suspended"}
    ),
    "s3:PutLifecycleConfiguration": lambda s3, on: s3.put_bucket_lifecycle_configuration(
        Bucket=on.bucket, LifecycleConfiguration={"Rules": []}
    ),
    "s3:CreateBucket": lambda s3, on: s3.create_bucket(
        Bucket=on.bucket, CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name}
    ),
    "s3:ListAllMyBuckets": lambda s3, on: s3.list_buckets(),
    "ecr:GetAuthorizationToken": lambda ecr, on: ecr.get_authorization_token(),
    "ecr:CreateRepository": lambda ecr, on: ecr.create_repository(repositoryName=on.repository),
    "ecr:TagResource": lambda ecr, on: ecr.tag_resource(resourceArn=on.arn, tags=[{"Key": "a", "Value": "b"}]),
    "ecr:UntagResource": lambda ecr, on: ecr.untag_resource(resourceArn=on.arn, tagKeys=["a"]),
    "ecr:DescribeRepositories": lambda ecr, on: ecr.describe_repositories(repositoryNames=[on.repository]),
    "ecr:DescribeImages": lambda ecr, on: ecr.describe_images(repositoryName=on.repository),
    "ecr:ListImages": lambda ecr, on: ecr.list_images(repositoryName=on.repository),
    "ecr:BatchCheckLayerAvailability": lambda ecr, on: ecr.batch_check_layer_availability(
        repositoryName=on.repository, layerDigests=[_DIGEST]
    ),
    "ecr:InitiateLayerUpload": lambda ecr, on: ecr.initiate_layer_upload(repositoryName=on.repository),
    "ecr:UploadLayerPart": lambda ecr, on: ecr.upload_layer_part(
        repositoryName=on.repository, uploadId=_UPLOAD, partFirstByte=0, partLastByte=0, layerPartBlob=b"x"
    ),
    "ecr:CompleteLayerUpload": lambda ecr, on: ecr.complete_layer_upload(
        repositoryName=on.repository, uploadId=_UPLOAD, layerDigests=[_DIGEST]
    ),
    "ecr:PutImage": lambda ecr, on: ecr.put_image(repositoryName=on.repository, imageManifest="{}"),
    "ecr:BatchGetImage": lambda ecr, on: ecr.batch_get_image(
        repositoryName=on.repository, imageIds=[{"imageTag": "none"}]
    ),
    "ecr:GetDownloadUrlForLayer": lambda ecr, on: ecr.get_download_url_for_layer(
        repositoryName=on.repository, layerDigest=_DIGEST
    ),
    "ecr:DeleteRepository": lambda ecr, on: ecr.delete_repository(repositoryName=on.repository),
    "ecr:BatchDeleteImage": lambda ecr, on: ecr.batch_delete_image(
        repositoryName=on.repository, imageIds=[{"imageTag": "none"}]
    ),
    "ecr:SetRepositoryPolicy": lambda ecr, on: ecr.set_repository_policy(
        repositoryName=on.repository, policyText=_NO_STATEMENTS
    ),
    "ecr:GetRepositoryPolicy": lambda ecr, on: ecr.get_repository_policy(repositoryName=on.repository),
    "ecr:PutLifecyclePolicy": lambda ecr, on: ecr.put_lifecycle_policy(
        repositoryName=on.repository, lifecyclePolicyText='{"rules": []}' + " " * 100
    ),
    "ecr:PutImageTagMutability": lambda ecr, on: ecr.put_image_tag_mutability(
        repositoryName=on.repository, imageTagMutability="MUTABLE"
    ),
    "kms:Decrypt": lambda kms, on: kms.decrypt(KeyId=on.arn, CiphertextBlob=b"none"),
    "kms:GenerateDataKey": lambda kms, on: kms.generate_data_key(KeyId=on.arn, KeySpec="AES_256"),
    "kms:ListKeys": lambda kms, on: kms.list_keys(),
    "sts:AssumeRole": lambda sts, on: sts.assume_role(RoleArn=on.arn, RoleSessionName="probe"),
    "iam:GetRole": lambda iam, on: iam.get_role(RoleName=on.name),
    "iam:UpdateAssumeRolePolicy": lambda iam, on: iam.update_assume_role_policy(
        RoleName=on.name, PolicyDocument=_NO_STATEMENTS
    ),
    "iam:PutRolePolicy": lambda iam, on: iam.put_role_policy(
        RoleName=on.name, PolicyName="probe", PolicyDocument=_NO_STATEMENTS
    ),
    "iam:AttachRolePolicy": lambda iam, on: iam.attach_role_policy(
        RoleName=on.name, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"
    ),
    "iam:DeleteRolePermissionsBoundary": lambda iam, on: iam.delete_role_permissions_boundary(RoleName=on.name),
    "iam:CreateUser": lambda iam, on: iam.create_user(UserName=on.name),
    "iam:ListRoles": lambda iam, on: iam.list_roles(),
    "ssm:GetParameter": lambda ssm, on: ssm.get_parameter(Name=on.parameter, WithDecryption=True),
    "ssm:PutParameter": lambda ssm, on: ssm.put_parameter(
        Name=on.parameter, Value="probe", Type="SecureString", Overwrite=True
    ),
    "ssm:DescribeParameters": lambda ssm, on: ssm.describe_parameters(),
    "secretsmanager:ListSecrets": lambda secrets, on: secrets.list_secrets(),
    "ec2:DescribeInstances": lambda ec2, on: ec2.describe_instances(),
    "lambda:ListFunctions": lambda functions, on: functions.list_functions(),
}
