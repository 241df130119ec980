"""The calls that probe a token. They change nothing, even if the role grants more than it should.

Calls that should be allowed read, begin and abort an upload, or name a repository that does not exist. Calls that
should be refused read, or name something that does not exist; a parameter is requested encrypted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from venue_access.audit.report import Check
from venue_access.aws.client import AwsClient
from venue_access.errors import NO_ANSWER, AccessDenied, AwsError
from venue_access.inventory.model import Venue
from venue_access.sensitive import ExternalId

PROBE = "venue-access-probe"
"""The object key and the repository name of the probes; neither is ever created."""

Assume = Callable[[str, ExternalId, AwsClient], Any]
"""Tries to assume a role (an ARN) with an external ID and a token."""

_DIGEST = "sha256:" + "0" * 64
_NO_UPLOAD = "00000000-0000-0000-0000-000000000000"
_IMAGE = [{"imageTag": PROBE}]

# Errors that only an allowed caller gets: a service authorizes the caller before it looks up the resource.
_ALLOWED = frozenset(
    {
        *("NoSuchKey", "NoSuchUpload", "NoSuchBucketPolicy", "ParameterNotFound", "NoSuchEntity"),
        *("RepositoryNotFoundException", "RepositoryPolicyNotFoundException", "ImageNotFoundException"),
        *("LayersNotFoundException", "LayerInaccessibleException", "UploadNotFoundException"),
        *("EmptyUploadException", "InvalidLayerPartException", "ImageDigestDoesNotMatchException"),
    }
)
# Errors that every caller gets.
_ABSENT = frozenset({"NoSuchBucket", "NotFoundException"})


@dataclass(frozen=True)
class Probe:
    """A call, and whether AWS should allow it."""

    tried: str
    allowed: bool
    call: Callable[[AwsClient], Any]

    def check(self, token: AwsClient) -> Check:
        """Make the call with a token.

        :raises ConnectionFailed: AWS does not respond.
        :raises CredentialsError: AWS does not accept the token.
        :raises ServiceUnavailable: AWS throttles or fails.
        """
        expected = "allowed" if self.allowed else "refused"
        try:
            self.call(token)
        except AccessDenied:
            return Check(self.tried, expected, "refused", not self.allowed)
        except NO_ANSWER:
            raise
        except AwsError as error:
            if error.code in _ALLOWED:
                return Check(self.tried, expected, f"allowed ({error.code})", self.allowed)
            # An absent resource differs if the call should be allowed; otherwise it proves nothing.
            absent = error.code in _ABSENT
            holds = False if absent and self.allowed else None
            return Check(self.tried, expected, error.code or error.message, holds, skipped=absent and not self.allowed)
        return Check(self.tried, expected, "allowed", self.allowed)


def probes(
    venue: Venue,
    buckets: Sequence[str],
    external_id: ExternalId,
    other: Venue | None,
    *,
    assume: Assume,
    misjudged: Collection[str] = (),
) -> Iterator[Probe]:
    """Yield the probes of a venue's token in their order.

    :param other: another venue of the inventory, whose resources the token must not reach.
    :param assume: tries to assume a role with the token.
    :param misjudged: actions that the endpoint authorizes differently from AWS; they are left out.
    """
    for bucket in buckets:
        yield from _own_bucket(bucket)
    for key in venue.kms_key_arns:
        if key.split(":")[3] == venue.region:
            yield from _own_key(key)
    yield _probe("ecr:GetAuthorizationToken", True, "get_authorization_token")
    for prefix in venue.ecr_repository_prefixes:
        own = _own_repositories(f"{prefix}{PROBE}")
        yield from (probe for probe in own if probe.tried.partition(" ")[0] not in misjudged)
    yield from _foreign(venue, buckets, other)
    yield from _iam(venue.role_name)
    for each in (venue, *([other] if other is not None else [])):
        call = partial(assume, each.role_arn, external_id)
        yield Probe(f"sts:AssumeRole of {each.role_name} with the token", False, call)


def _probe(tried: str, allowed: bool, operation: str, **request: Any) -> Probe:
    """Return the probe of one call; the service is the prefix of the action, with which ``tried`` begins."""
    service = tried.partition(":")[0]
    return Probe(tried, allowed, lambda aws: aws.call(service, operation, **request))


def _own_bucket(bucket: str) -> Iterator[Probe]:
    key: dict[str, Any] = {"Bucket": bucket, "Key": PROBE}
    upload = {**key, "UploadId": _NO_UPLOAD}  # begun, listed and aborted: it creates no object

    def begin(aws: AwsClient) -> None:
        upload["UploadId"] = aws.call("s3", "create_multipart_upload", **key)["UploadId"]

    yield _probe(f"s3:GetBucketLocation in {bucket}", True, "get_bucket_location", Bucket=bucket)
    yield _probe(f"s3:ListBucket in {bucket}", True, "list_objects_v2", Bucket=bucket, MaxKeys=1)
    uploads = f"s3:ListBucketMultipartUploads in {bucket}"
    yield _probe(uploads, True, "list_multipart_uploads", Bucket=bucket, MaxUploads=1)
    yield _probe(f"s3:GetObject in {bucket}", True, "get_object", **key)
    yield Probe(f"s3:PutObject (an upload begun) in {bucket}", True, begin)
    listing, abort = f"s3:ListMultipartUploadParts in {bucket}", f"s3:AbortMultipartUpload in {bucket}"
    yield Probe(listing, True, lambda aws: aws.call("s3", "list_parts", **upload))
    yield Probe(abort, True, lambda aws: aws.call("s3", "abort_multipart_upload", **upload))
    yield _probe(f"s3:GetBucketPolicy in {bucket}", False, "get_bucket_policy", Bucket=bucket)
    yield _probe(f"s3:GetBucketAcl in {bucket}", False, "get_bucket_acl", Bucket=bucket)
    yield _probe(f"s3:GetObjectAcl in {bucket}", False, "get_object_acl", **key)


def _own_key(key: str) -> Iterator[Probe]:
    encrypted: dict[str, Any] = {"KeyId": key, "CiphertextBlob": b"none"}

    def generate(aws: AwsClient) -> None:
        made = aws.call("kms", "generate_data_key", KeyId=key, KeySpec="AES_256")
        encrypted["CiphertextBlob"] = made["CiphertextBlob"]

    yield Probe(f"kms:GenerateDataKey with {key}", True, generate)
    yield Probe(f"kms:Decrypt with {key}", True, lambda aws: aws.call("kms", "decrypt", **encrypted))


def _own_repositories(name: str) -> Iterator[Probe]:
    upload: dict[str, Any] = {"repositoryName": name, "uploadId": _NO_UPLOAD}
    part = {"partFirstByte": 0, "partLastByte": 0, "layerPartBlob": b"x"}
    # ECR never accepts a manifest with a digest that does not match.
    manifest = json.dumps({"schemaVersion": 2, "config": {"digest": _DIGEST}, "layers": []})
    push = {"imageManifest": manifest, "imageDigest": _DIGEST, "imageTag": PROBE}
    repository, digests = {"repositoryName": name}, {"layerDigests": [_DIGEST]}
    request: dict[str, Any]
    for action, operation, request in (
        ("ListImages", "list_images", repository),
        ("DescribeImages", "describe_images", repository),
        ("DescribeRepositories", "describe_repositories", {"repositoryNames": [name]}),
        ("BatchGetImage", "batch_get_image", {**repository, "imageIds": _IMAGE}),
        ("BatchCheckLayerAvailability", "batch_check_layer_availability", {**repository, **digests}),
        ("GetDownloadUrlForLayer", "get_download_url_for_layer", {**repository, "layerDigest": _DIGEST}),
        ("InitiateLayerUpload", "initiate_layer_upload", repository),
        ("UploadLayerPart", "upload_layer_part", {**upload, **part}),
        ("CompleteLayerUpload", "complete_layer_upload", {**upload, **digests}),
        ("PutImage", "put_image", {**repository, **push}),
    ):
        yield _probe(f"ecr:{action} in {name}", True, operation, **request)
    yield _probe(f"ecr:GetRepositoryPolicy in {name}", False, "get_repository_policy", **repository)


def _foreign(venue: Venue, buckets: Sequence[str], other: Venue | None) -> Iterator[Probe]:
    """Yield probes of another venue's resources, and of a neighbour's whose name begins with this one's."""
    yield _probe("s3:ListAllMyBuckets", False, "list_buckets")
    for bucket in (other.s3_buckets or ()) if other is not None else ():
        if bucket not in buckets:
            yield from _read_bucket(bucket)
    for bucket in buckets:
        if f"{bucket}2" not in buckets:
            # Only a bucket of this account counts: one of another account may be public.
            yield from _read_bucket(f"{bucket}2", ExpectedBucketOwner=venue.account_id)
    prefixes = tuple(f"{prefix.rstrip('/')}2/" for prefix in venue.ecr_repository_prefixes)
    neighbour = replace(venue, venue=f"{venue.venue}2", ecr_repository_prefixes=prefixes)
    others = (neighbour,) if other is None else (other, neighbour)
    for each in (venue, *others):
        name = each.external_id_parameter
        # An encrypted value is useless if the call is allowed.
        yield _probe(f"ssm:GetParameter of {name}", False, "get_parameter", Name=name, WithDecryption=False)
    yield _probe("ssm:DescribeParameters", False, "describe_parameters", MaxResults=1)
    for prefix in dict.fromkeys(prefix for each in others for prefix in each.ecr_repository_prefixes):
        name = f"{prefix}{PROBE}"
        if not venue.has_repository(name):
            yield _probe(f"ecr:ListImages in {name}", False, "list_images", repositoryName=name)
            pull = {"repositoryName": name, "imageIds": _IMAGE}
            yield _probe(f"ecr:BatchGetImage in {name}", False, "batch_get_image", **pull)


def _read_bucket(bucket: str, **owner: str) -> Iterator[Probe]:
    yield _probe(f"s3:ListBucket in {bucket}", False, "list_objects_v2", Bucket=bucket, MaxKeys=1, **owner)
    yield _probe(f"s3:GetObject in {bucket}", False, "get_object", Bucket=bucket, Key=PROBE, **owner)


def _iam(role: str) -> Iterator[Probe]:
    yield _probe(f"iam:GetRole of {role}", False, "get_role", RoleName=role)
    attached = f"iam:ListAttachedRolePolicies of {role}"
    yield _probe(attached, False, "list_attached_role_policies", RoleName=role)
    yield _probe("iam:ListRoles", False, "list_roles", MaxItems=1)
    yield _probe("iam:ListUsers", False, "list_users", MaxItems=1)
