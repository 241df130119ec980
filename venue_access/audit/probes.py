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
    yield Probe("ecr:GetAuthorizationToken", True, _call("ecr", "get_authorization_token"))
    for prefix in venue.ecr_repository_prefixes:
        own = _own_repositories(f"{prefix}{PROBE}")
        yield from (probe for probe in own if probe.tried.partition(" ")[0] not in misjudged)
    yield from _foreign_buckets(venue, buckets, other)
    yield from _foreign_parameters(venue, other)
    yield from _foreign_repositories(venue, other)
    yield from _iam(venue)
    yield from _onward(venue, external_id, other, assume)


class _Upload:
    """A multipart upload that is begun, listed and aborted: it creates no object."""

    def __init__(self, bucket: str) -> None:
        self._where: dict[str, Any] = {"Bucket": bucket, "Key": PROBE}
        self._id = _NO_UPLOAD

    def begin(self, aws: AwsClient) -> None:
        """Begin the upload."""
        self._id = aws.call("s3", "create_multipart_upload", **self._where)["UploadId"]

    def parts(self, aws: AwsClient) -> None:
        """List the uploaded parts: there are none."""
        aws.call("s3", "list_parts", **self._where, UploadId=self._id)

    def abort(self, aws: AwsClient) -> None:
        """Abort the upload."""
        aws.call("s3", "abort_multipart_upload", **self._where, UploadId=self._id)


def _own_bucket(bucket: str) -> Iterator[Probe]:
    upload = _Upload(bucket)
    for action, call in (
        ("s3:GetBucketLocation", _call("s3", "get_bucket_location", Bucket=bucket)),
        ("s3:ListBucket", _call("s3", "list_objects_v2", Bucket=bucket, MaxKeys=1)),
        ("s3:ListBucketMultipartUploads", _call("s3", "list_multipart_uploads", Bucket=bucket, MaxUploads=1)),
        ("s3:GetObject", _call("s3", "get_object", Bucket=bucket, Key=PROBE)),
        ("s3:PutObject (an upload begun)", upload.begin),
        ("s3:ListMultipartUploadParts", upload.parts),
        ("s3:AbortMultipartUpload", upload.abort),
    ):
        yield Probe(f"{action} in {bucket}", True, call)
    for action, call in (
        ("s3:GetBucketPolicy", _call("s3", "get_bucket_policy", Bucket=bucket)),
        ("s3:GetBucketAcl", _call("s3", "get_bucket_acl", Bucket=bucket)),
        ("s3:GetObjectAcl", _call("s3", "get_object_acl", Bucket=bucket, Key=PROBE)),
    ):
        yield Probe(f"{action} in {bucket}", False, call)


def _own_key(key: str) -> Iterator[Probe]:
    encrypted: dict[str, bytes] = {}

    def generate(aws: AwsClient) -> None:
        encrypted["blob"] = aws.call("kms", "generate_data_key", KeyId=key, KeySpec="AES_256")["CiphertextBlob"]

    def decrypt(aws: AwsClient) -> None:
        aws.call("kms", "decrypt", KeyId=key, CiphertextBlob=encrypted.get("blob", b"none"))

    yield Probe(f"kms:GenerateDataKey with {key}", True, generate)
    yield Probe(f"kms:Decrypt with {key}", True, decrypt)


def _own_repositories(name: str) -> Iterator[Probe]:
    image = [{"imageTag": PROBE}]
    layers: dict[str, Any] = {"repositoryName": name, "layerDigests": [_DIGEST]}
    one_layer: dict[str, Any] = {"repositoryName": name, "layerDigest": _DIGEST}
    upload = {"repositoryName": name, "uploadId": _NO_UPLOAD}
    # ECR never accepts a manifest with a digest that does not match.
    manifest = json.dumps({"schemaVersion": 2, "config": {"digest": _DIGEST}, "layers": []})
    push = {"repositoryName": name, "imageManifest": manifest, "imageDigest": _DIGEST, "imageTag": PROBE}
    for action, call in (
        ("ListImages", _call("ecr", "list_images", repositoryName=name)),
        ("DescribeImages", _call("ecr", "describe_images", repositoryName=name)),
        ("DescribeRepositories", _call("ecr", "describe_repositories", repositoryNames=[name])),
        ("BatchGetImage", _call("ecr", "batch_get_image", repositoryName=name, imageIds=image)),
        ("BatchCheckLayerAvailability", _call("ecr", "batch_check_layer_availability", **layers)),
        (
            "GetDownloadUrlForLayer",
            _call("ecr", "get_download_url_for_layer", **one_layer),
        ),
        ("InitiateLayerUpload", _call("ecr", "initiate_layer_upload", repositoryName=name)),
        (
            "UploadLayerPart",
            _call("ecr", "upload_layer_part", **upload, partFirstByte=0, partLastByte=0, layerPartBlob=b"x"),
        ),
        ("CompleteLayerUpload", _call("ecr", "complete_layer_upload", **upload, layerDigests=[_DIGEST])),
        ("PutImage", _call("ecr", "put_image", **push)),
    ):
        yield Probe(f"ecr:{action} in {name}", True, call)
    policy = _call("ecr", "get_repository_policy", repositoryName=name)
    yield Probe(f"ecr:GetRepositoryPolicy in {name}", False, policy)


def _foreign_buckets(venue: Venue, buckets: Sequence[str], other: Venue | None) -> Iterator[Probe]:
    yield Probe("s3:ListAllMyBuckets", False, _call("s3", "list_buckets"))
    for bucket in (other.s3_buckets or ()) if other is not None else ():
        if bucket not in buckets:
            yield from _read_bucket(bucket)
    for bucket in buckets:
        if f"{bucket}2" not in buckets:
            # Only a bucket of this account counts: one of another account may be public.
            yield from _read_bucket(f"{bucket}2", ExpectedBucketOwner=venue.account_id)


def _read_bucket(bucket: str, **owner: str) -> Iterator[Probe]:
    listing = _call("s3", "list_objects_v2", Bucket=bucket, MaxKeys=1, **owner)
    yield Probe(f"s3:ListBucket in {bucket}", False, listing)
    yield Probe(f"s3:GetObject in {bucket}", False, _call("s3", "get_object", Bucket=bucket, Key=PROBE, **owner))


def _foreign_parameters(venue: Venue, other: Venue | None) -> Iterator[Probe]:
    for each in (venue, *_other_venues(venue, other)):
        name = each.external_id_parameter
        # An encrypted value is useless if the call is allowed.
        yield Probe(
            f"ssm:GetParameter of {name}", False, _call("ssm", "get_parameter", Name=name, WithDecryption=False)
        )
    yield Probe("ssm:DescribeParameters", False, _call("ssm", "describe_parameters", MaxResults=1))


def _foreign_repositories(venue: Venue, other: Venue | None) -> Iterator[Probe]:
    prefixes = dict.fromkeys(prefix for each in _other_venues(venue, other) for prefix in each.ecr_repository_prefixes)
    for name in (f"{prefix}{PROBE}" for prefix in prefixes):
        if venue.has_repository(name):
            continue
        image = [{"imageTag": PROBE}]
        yield Probe(f"ecr:ListImages in {name}", False, _call("ecr", "list_images", repositoryName=name))
        pull = _call("ecr", "batch_get_image", repositoryName=name, imageIds=image)
        yield Probe(f"ecr:BatchGetImage in {name}", False, pull)


def _iam(venue: Venue) -> Iterator[Probe]:
    role = venue.role_name
    for action, call in (
        (f"GetRole of {role}", _call("iam", "get_role", RoleName=role)),
        (f"ListAttachedRolePolicies of {role}", _call("iam", "list_attached_role_policies", RoleName=role)),
        ("ListRoles", _call("iam", "list_roles", MaxItems=1)),
        ("ListUsers", _call("iam", "list_users", MaxItems=1)),
    ):
        yield Probe(f"iam:{action}", False, call)


def _onward(venue: Venue, external_id: ExternalId, other: Venue | None, assume: Assume) -> Iterator[Probe]:
    for each in (venue, *([other] if other is not None else [])):
        call = partial(assume, each.role_arn, external_id)
        yield Probe(f"sts:AssumeRole of {each.role_name} with the token", False, call)


def _other_venues(venue: Venue, other: Venue | None) -> tuple[Venue, ...]:
    """Return another venue and a neighbour whose name begins with this one's; it need not exist."""
    prefixes = tuple(f"{prefix.rstrip('/')}2/" for prefix in venue.ecr_repository_prefixes)
    neighbour = replace(venue, venue=f"{venue.venue}2", ecr_repository_prefixes=prefixes)
    return (neighbour,) if other is None else (other, neighbour)


def _call(service: str, operation: str, **request: Any) -> Callable[[AwsClient], Any]:
    return lambda aws: aws.call(service, operation, **request)
