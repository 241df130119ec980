"""Whether the bucket of a Terraform state is fit for it: it holds external IDs, and a bad write must be undone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from venue_access.aws.client import AwsClient
from venue_access.errors import AwsError, VenueAccessError
from venue_access.provisioning.stack import StateLocation

_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def doubts(place: StateLocation, aws: AwsClient) -> list[str]:
    """What is wrong with a state's bucket, each with its remedy; nothing where these keys may not look.

    It should be versioned, encrypted and closed to the public (Terraform documentation, "Backend Type: s3"; Amazon S3
    User Guide, "Blocking public access to your Amazon S3 storage").
    """
    assert place.bucket is not None, "the state is local"
    try:
        return list(_doubts(place.bucket, aws.in_region(place.region)))
    except VenueAccessError:
        return []  # Terraform tells what is wrong with the way to it


def _doubts(bucket: str, aws: AwsClient) -> Iterator[str]:
    put = f"aws s3api put-{{}} --bucket {bucket} --{{}}"
    if aws.call("s3", "get_bucket_versioning", Bucket=bucket).get("Status") != "Enabled":
        remedy = put.format("bucket-versioning", "versioning-configuration Status=Enabled")
        yield f"the state's bucket {bucket} keeps no versions: {remedy}"
    if not _found(aws, "get_bucket_encryption", bucket, "ServerSideEncryptionConfigurationNotFoundError"):
        rules = '\'{"Rules":[{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"AES256"}}]}\''
        remedy = put.format("bucket-encryption", f"server-side-encryption-configuration {rules}")
        yield f"the state's bucket {bucket} is not encrypted: {remedy}"
    found = _found(aws, "get_public_access_block", bucket, "NoSuchPublicAccessBlockConfiguration")
    blocks = found.get("PublicAccessBlockConfiguration", {})
    if not all(blocks.get(block) for block in _BLOCKS):
        every = ",".join(f"{block}=true" for block in _BLOCKS)
        remedy = put.format("public-access-block", f"public-access-block-configuration {every}")
        yield f"the state's bucket {bucket} does not block public access: {remedy}"


def _found(aws: AwsClient, operation: str, bucket: str, absent: str) -> dict[str, Any]:
    try:
        return aws.call("s3", operation, Bucket=bucket)
    except AwsError as error:
        if error.code == absent:
            return {}
        raise
