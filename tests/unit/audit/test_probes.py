"""What an answer to a probe proves, and that no probe does harm."""

from __future__ import annotations

import dataclasses
import re
from typing import Any, cast

import pytest

from tests.stacks import a_full_venue, a_venue
from venue_access.audit.probes import Probe, probes
from venue_access.audit.report import Check
from venue_access.aws.client import AwsClient
from venue_access.errors import AccessDenied, AwsError, ConnectionFailed, ServiceUnavailable
from venue_access.sensitive import ExternalId

OURS = ExternalId("va.ours")


def assume(role_arn: str, external_id: ExternalId, token: AwsClient) -> None:
    token.assume_role(role_arn, "venue-access-verify", external_id=external_id)


class Recorder:
    """Stands in for AWS: remembers what is called, and answers nothing."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, dict[str, Any]]] = []

    def call(self, service: str, operation: str, **request: Any) -> dict[str, Any]:
        self.calls.append((service, operation, request))
        return {"UploadId": "upload-1", "CiphertextBlob": b"encrypted"}

    def assume_role(self, role_arn: str, session_name: str, **request: Any) -> None:
        self.calls.append(("sts", "assume_role", {"RoleArn": role_arn}))


def checked(raised: Exception | None, *, allowed: bool) -> Check:
    def call(aws: AwsClient) -> None:
        if raised is not None:
            raise raised

    return Probe("a call", allowed, call).check(cast(AwsClient, None))


def answered(raised: Exception | None, *, allowed: bool) -> tuple[str, bool | None]:
    check = checked(raised, allowed=allowed)
    return check.found, check.holds


@pytest.mark.parametrize(
    ("raised", "found", "is_let_through"),
    [
        (None, "allowed", True),
        (AwsError("AWS refused x", code="NoSuchKey"), "allowed (NoSuchKey)", True),
        (AwsError("AWS refused x", code="RepositoryNotFoundException"), "allowed (RepositoryNotFoundException)", True),
        (AccessDenied("AWS refused x", code="AccessDenied"), "refused", False),
    ],
)
def test_error_codes_show_whether_the_call_is_allowed(
    raised: Exception | None, found: str, is_let_through: bool
) -> None:
    assert answered(raised, allowed=True) == (found, is_let_through)
    assert answered(raised, allowed=False) == (found, not is_let_through)


def test_absent_bucket_differs_if_expected_and_is_skipped_otherwise() -> None:
    absent = AwsError("AWS refused x", code="NoSuchBucket")
    assert answered(absent, allowed=True) == ("NoSuchBucket", False)
    assert answered(absent, allowed=False) == ("NoSuchBucket", None)
    assert [checked(absent, allowed=allowed).result for allowed in (True, False)] == ["differs", "skipped"]


def test_other_error_is_unclear() -> None:
    for allowed in (True, False):
        assert answered(AwsError("AWS refused x", code="KMSInternal"), allowed=allowed) == ("KMSInternal", None)
        assert answered(AwsError("it could not be made"), allowed=allowed) == ("it could not be made", None)


def test_unreachable_aws_ends_the_probes() -> None:
    with pytest.raises(ConnectionFailed):
        answered(ConnectionFailed("no network"), allowed=True)
    with pytest.raises(ServiceUnavailable):
        answered(ServiceUnavailable("AWS is throttling", code="SlowDown"), allowed=True)


HARMLESS = re.compile(
    r"(get|list|describe|batch_get|batch_check)_\w+|(create|abort)_multipart_upload|generate_data_key|decrypt"
    r"|initiate_layer_upload|upload_layer_part|complete_layer_upload|put_image|assume_role"
)


@pytest.mark.parametrize("venue", [a_venue(), a_full_venue()], ids=["plain", "full"])
def test_probes_change_nothing_and_decrypt_no_parameter(venue: Any) -> None:
    aws = Recorder()
    for probe in probes(venue, ["one", "two"], OURS, a_venue("unity-ops", s3_buckets=("ops",)), assume=assume):
        probe.check(cast(AwsClient, aws))
    for service, operation, request in aws.calls:
        assert HARMLESS.fullmatch(operation), (service, operation)
        if service == "ecr" and not operation.startswith(("get", "list", "describe", "batch")):
            assert request["repositoryName"] in {f"{each}venue-access-probe" for each in venue.ecr_repository_prefixes}
        if operation == "get_parameter":
            assert request["WithDecryption"] is False
    begun = [request for _, operation, request in aws.calls if operation == "create_multipart_upload"]
    aborted = [request for _, operation, request in aws.calls if operation == "abort_multipart_upload"]
    assert aborted == [{**each, "UploadId": "upload-1"} for each in begun]
    assert len(begun) == 2


def test_refused_calls_include_another_venue_and_a_neighbour() -> None:
    venue, other = a_venue(), a_venue("unity-ops", s3_buckets=("ops-data",))
    tried = {probe.tried for probe in probes(venue, ["data"], OURS, other, assume=assume) if not probe.allowed}
    assert {
        "s3:ListBucket in ops-data",
        "s3:GetObject in data2",
        "ssm:GetParameter of /unity/unity/dev/cs/sts/role/external-id",
        "ssm:GetParameter of /unity/unity/ops/cs/sts/role/external-id",
        "ssm:GetParameter of /unity/unity/dev2/cs/sts/role/external-id",
        "ecr:ListImages in unity-ops/venue-access-probe",
        "ecr:BatchGetImage in unity-dev2/venue-access-probe",
        "iam:GetRole of unity-unity-dev-sts",
        "sts:AssumeRole of unity-unity-ops-sts with the token",
    } <= tried
    alone = {probe.tried for probe in probes(venue, ["data"], OURS, None, assume=assume) if not probe.allowed}
    assert "ecr:ListImages in unity-dev2/venue-access-probe" in alone


def test_shared_bucket_or_prefix_is_not_expected_to_be_refused() -> None:
    other = dataclasses.replace(a_venue("unity-ops"), s3_buckets=("data",), ecr_repository_prefixes=("unity-dev/ops/",))
    refused = [probe.tried for probe in probes(a_venue(), ["data"], OURS, other, assume=assume) if not probe.allowed]
    assert "s3:ListBucket in data" not in refused
    assert not [tried for tried in refused if tried.startswith("ecr:ListImages in unity-dev/")]


def test_every_prefix_and_its_neighbour_is_probed() -> None:
    venue = a_venue(ecr_repository_prefixes=("unity-dev/", "tropess/"))
    tried = {probe.tried: probe.allowed for probe in probes(venue, ["data"], OURS, None, assume=assume)}
    assert tried["ecr:ListImages in tropess/venue-access-probe"]
    assert tried["ecr:PutImage in unity-dev/venue-access-probe"]
    assert not tried["ecr:ListImages in tropess2/venue-access-probe"]
    assert not tried["ecr:ListImages in unity-dev2/venue-access-probe"]


def test_actions_that_the_endpoint_misjudges_are_not_probed() -> None:
    def tried(**options: Any) -> set[str]:
        return {probe.tried for probe in probes(a_venue(), ["data"], OURS, None, assume=assume, **options)}

    (left_out,) = tried() - tried(misjudged={"ecr:DescribeRepositories"})
    assert left_out.startswith("ecr:DescribeRepositories in ")


def test_kms_keys_of_other_regions_are_not_probed() -> None:
    far = a_venue(kms_key_arns=("arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555",))
    assert not [probe for probe in probes(far, ["data"], OURS, None, assume=assume) if "kms:" in probe.tried]
