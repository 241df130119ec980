"""What a scope compiles to, and what is refused with the reason."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stacks import a_full_venue, a_venue
from venue_access.errors import UsageError
from venue_access.inventory.model import Venue
from venue_access.policies.documents import SESSION_POLICY_LIMIT, ecr_policy, s3_policy
from venue_access.policies.session import READS, TokenScope, scope

BUCKET = "unity-dev-data"
VENUE = a_venue(s3_buckets=(BUCKET,))


def statements(found: TokenScope, venue: Venue = VENUE) -> list[dict[str, Any]]:
    text = found.session_policy(venue, lambda: venue.s3_buckets or (BUCKET,))
    assert text is not None
    document = json.loads(text)
    assert document["Version"] == "2012-10-17"
    found_statements: list[dict[str, Any]] = document["Statement"]
    return found_statements


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def allowed(given: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Actions and resources that are allowed, as pairs."""
    return {
        (action, resource)
        for each in given
        if each["Effect"] == "Allow"
        for action in listed(each["Action"])
        for resource in listed(each["Resource"])
    }


def actions(given: list[dict[str, Any]]) -> set[str]:
    return {action for action, _ in allowed(given)}


def role(venue: Venue, *buckets: str) -> list[dict[str, Any]]:
    return [*s3_policy(venue, buckets)["Statement"], *ecr_policy(venue)["Statement"]]


def test_empty_scope_has_no_policy_and_reads_no_bucket() -> None:
    assert not scope()
    assert scope().session_policy(VENUE, lambda: pytest.fail("asked")) is None
    assert scope().describe() == ""


def test_policy_is_compact_json() -> None:
    text = scope(read_only=True).session_policy(VENUE, lambda: [BUCKET])
    assert text == json.dumps(json.loads(text or ""), separators=(",", ":"))


def test_read_only_keeps_the_reads_of_both_services() -> None:
    found = statements(scope(read_only=True))
    assert actions(found) == READS - {"kms:Decrypt"} | {"ecr:GetAuthorizationToken"}
    assert READS - {"kms:Decrypt"} <= actions(role(VENUE, BUCKET))


def test_prefix_is_a_folder_and_limits_listing() -> None:
    found = statements(scope(s3_prefix="incoming, out/2026/"))
    bucket = f"arn:aws:s3:::{BUCKET}"
    assert ("s3:GetObject", f"{bucket}/incoming/*") in allowed(found)
    assert ("s3:PutObject", f"{bucket}/out/2026/*") in allowed(found)
    assert not [pair for pair in allowed(found) if pair[1] == f"{bucket}/*"]
    assert "s3:ListBucketMultipartUploads" not in actions(found)
    (listing,) = (each for each in found if each["Action"] == "s3:ListBucket")
    assert listing["Condition"] == {"StringLike": {"s3:prefix": ["incoming/*", "out/2026/*"]}}
    assert "ecr:PutImage" in actions(found)


def test_prefix_applies_to_each_bucket() -> None:
    found = statements(scope(s3_prefix="a", no_ecr=True), a_venue(s3_buckets=("one", "two")))
    assert {resource for action, resource in allowed(found) if action == "s3:GetObject"} == {
        "arn:aws:s3:::one/a/*",
        "arn:aws:s3:::two/a/*",
    }


def test_repositories_are_named_whole_and_login_stays() -> None:
    found = statements(scope(ecr_repository="unity-dev/a,unity-dev/b/c"))
    below = "arn:aws:ecr:us-west-2:111122223333:repository/unity-dev/"
    assert {resource for action, resource in allowed(found) if action == "ecr:PutImage"} == {f"{below}a", f"{below}b/c"}
    assert ("ecr:GetAuthorizationToken", "*") in allowed(found)
    assert "s3:PutObject" in actions(found)


def test_removed_service_has_no_permissions_and_reads_no_bucket() -> None:
    assert {action.partition(":")[0] for action in actions(statements(scope(no_ecr=True)))} == {"s3"}
    text = scope(no_s3=True).session_policy(VENUE, lambda: pytest.fail("asked"))
    assert {action.partition(":")[0] for action in actions(json.loads(text or "")["Statement"])} == {"ecr"}


def test_source_ip_deny_excepts_aws_services() -> None:
    *rest, deny = statements(scope(source_ip="198.51.100.0/24, 2001:db8::/32"))
    assert deny == {
        "Effect": "Deny",
        "Action": "*",
        "Resource": "*",
        "Condition": {
            "NotIpAddress": {"aws:SourceIp": ["198.51.100.0/24", "2001:db8::/32"]},
            "BoolIfExists": {"aws:ViaAWSService": "false"},
        },
    }
    assert allowed(rest) == allowed(role(VENUE, BUCKET))


def test_keys_come_with_the_objects_and_a_reader_only_decrypts() -> None:
    full = a_full_venue(s3_buckets=(BUCKET,))
    assert {"kms:Decrypt", "kms:GenerateDataKey"} <= actions(statements(scope(s3_prefix="a"), full))
    reading = actions(statements(scope(read_only=True), full))
    assert {each for each in reading if each.startswith("kms:")} == {"kms:Decrypt"}
    assert not {each for each in actions(statements(scope(no_s3=True), full)) if each.startswith("kms:")}
    assert "s3:DeleteObject" in actions(statements(scope(no_ecr=True), full))
    assert "s3:DeleteObject" not in reading


def test_scope_has_a_short_description() -> None:
    found = scope(read_only=True, s3_prefix="a,b/", ecr_repository="unity-dev/x", source_ip="192.0.2.1")
    assert found.describe() == "read-only; S3 a/, b/; ECR unity-dev/x; from 192.0.2.1/32"
    assert scope(no_s3=True).describe() == "no S3"


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ({"s3_prefix": ""}, "--s3-prefix: a prefix is empty"),
        ({"s3_prefix": "a,,b"}, "--s3-prefix: a prefix is empty"),
        ({"s3_prefix": "/a"}, "begins with '/'"),
        ({"s3_prefix": "s3://bucket/a"}, "must be the part after the bucket's name"),
        ({"s3_prefix": "a*"}, "has a wildcard"),
        ({"s3_prefix": "a?"}, "has a wildcard"),
        ({"s3_prefix": "${aws:username}"}, "has a wildcard or a variable"),
        ({"s3_prefix": "a\nb"}, "contains a control character"),
        ({"s3_prefix": "données-☃"}, "has '☃', and a session policy takes characters up to U.00FF only"),
        ({"s3_prefix": "x" * 1025}, "1025 bytes"),
        ({"ecr_repository": "Unity-dev/a"}, "is not a repository name"),
        ({"ecr_repository": "unity-dev/*"}, "is not a repository name"),
        ({"ecr_repository": "unity-dev/"}, "is not a repository name"),
        ({"ecr_repository": ""}, "is not a repository name"),
        ({"source_ip": "198.51.100.7/24"}, "has host bits set"),
        ({"source_ip": "somewhere"}, "'somewhere' is not an address range"),
        ({"source_ip": ""}, "--source-ip: .*is empty"),
        ({"no_s3": True, "s3_prefix": "a"}, "--no-s3 and --s3-prefix exclude each other"),
        ({"no_ecr": True, "ecr_repository": "unity-dev/a"}, "--no-ecr and --ecr-repository exclude each other"),
        ({"no_ecr": True, "no_s3": True}, "together they leave nothing"),
    ],
)
def test_contradicting_scope_is_refused_with_the_reason(flags: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        scope(**flags)


@pytest.mark.parametrize("name", ["unity-dev2/a", "other", "other/unity-dev/a", "unity-test/a"])
def test_foreign_repository_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="has the repositories under unity-dev/ only"):
        scope(ecr_repository=name).check(VENUE)


def test_too_long_policy_is_refused_before_the_call() -> None:
    many = scope(s3_prefix=",".join(f"folder-{number:03}" for number in range(40)))
    with pytest.raises(UsageError, match=rf"has \d+ characters, and AWS takes {SESSION_POLICY_LIMIT}"):
        many.check(VENUE)


def test_policy_of_maximum_size_is_accepted() -> None:
    venue = a_venue(s3_buckets=(BUCKET + "x",))  # each letter of a prefix stands twice, so the rest must be even
    spent = len(scope(s3_prefix="x", no_ecr=True).session_policy(venue, lambda: [BUCKET + "x"]) or "")
    room, odd = divmod(SESSION_POLICY_LIMIT - spent, 2)
    assert not odd
    exact = scope(s3_prefix="x" * (1 + room), no_ecr=True)
    assert len(exact.session_policy(venue, lambda: [BUCKET + "x"]) or "") == SESSION_POLICY_LIMIT
    with pytest.raises(UsageError, match="has 2050 characters, and AWS takes 2048"):
        scope(s3_prefix="x" * (2 + room), no_ecr=True).check(venue)


folders = st.lists(st.sampled_from(["a", "b/c", "é x", "2026/11"]), max_size=3)
names = st.lists(st.sampled_from(["unity-dev/a", "unity-dev/b/c"]), max_size=2)


@given(
    read_only=st.booleans(),
    prefixes=folders,
    repositories=names,
    left_out=st.sampled_from(["", "s3", "ecr"]),
    ranges=st.lists(st.sampled_from(["192.0.2.0/24", "2001:db8::/32"]), max_size=2),
    full=st.booleans(),
)
def test_scope_allows_nothing_beyond_the_role(
    read_only: bool, prefixes: list[str], repositories: list[str], left_out: str, ranges: list[str], full: bool
) -> None:
    venue = (a_full_venue if full else a_venue)("unity-dev", s3_buckets=("one", "two"))
    found = scope(
        read_only=read_only,
        s3_prefix=",".join(prefixes) or None if left_out != "s3" else None,
        ecr_repository=",".join(repositories) or None if left_out != "ecr" else None,
        no_s3=left_out == "s3",
        no_ecr=left_out == "ecr",
        source_ip=",".join(ranges) or None,
    )
    if not found:
        return
    refusal = None
    try:
        scoped = statements(found, venue)
    except UsageError as error:
        refusal = str(error)
    if refusal is not None:
        assert "characters" in refusal  # the only reason to refuse it
        return
    whole = allowed(role(venue, "one", "two"))
    for action, resource in allowed(scoped):
        assert any(action == has and fnmatchcase(resource, pattern) for has, pattern in whole), (action, resource)
    assert allowed(scoped)
