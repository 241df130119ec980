"""A session policy of the operator's own: what is taken, what is refused with the reason."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stacks import a_venue
from venue_access.errors import UsageError
from venue_access.policies.session import scope
from venue_access.policies.session_file import overlap, policy_file

BUCKET = "unity-dev-data"
VENUE = a_venue(s3_buckets=(BUCKET,))
READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/a/*"}


def check(*given: Any, **more: Any) -> str:
    text = json.dumps({"Version": "2012-10-17", "Statement": list(given), **more}, indent=2)
    found = scope(policy=policy_file(text, "mine.json"))
    return found.session_policy(VENUE, lambda: [BUCKET]) or ""


def test_policy_file_is_sent_compact() -> None:
    assert json.loads(check(READ)) == {"Version": "2012-10-17", "Statement": [READ]}
    assert "\n" not in check(READ)


def test_source_ip_combines_with_policy_file() -> None:
    text = json.dumps({"Version": "2012-10-17", "Statement": READ})
    found = scope(policy=policy_file(text, "mine.json"), source_ip="192.0.2.0/24")
    sent = json.loads(found.session_policy(VENUE, lambda: [BUCKET]) or "")
    assert [each["Effect"] for each in sent["Statement"]] == ["Allow", "Deny"]
    assert found.describe() == "the policy of mine.json; from 192.0.2.0/24"


@pytest.mark.parametrize(
    "flags", [{"read_only": True}, {"s3_prefix": "a"}, {"ecr_repository": "unity-dev/a"}, {"no_s3": True}]
)
def test_allowing_flags_exclude_policy_file(flags: dict[str, Any]) -> None:
    text = json.dumps({"Version": "2012-10-17", "Statement": READ})
    with pytest.raises(UsageError, match=r"--policy and --.* exclude each other"):
        scope(policy=policy_file(text, "mine.json"), **flags)


@pytest.mark.parametrize(
    "change",
    [
        {"Action": "S3:getobject"},
        {"Action": "s3:*"},
        {"Action": "*", "Resource": "*"},
        {"Action": ["s3:Get*", "ecr:BatchGetImage"], "Resource": "*"},
        {"Resource": "arn:aws:s3:::*/x"},
        {"Resource": "arn:aws:s3:::unity-dev-data/${aws:userid}/*"},
        {"Resource": "arn:aws:s3:::unity-dev-dat?/*", "Condition": {"Bool": {"aws:SecureTransport": True}}},
    ],
)
def test_partly_covered_statement_is_accepted(change: dict[str, Any]) -> None:
    check({**READ, **change})


@pytest.mark.parametrize(
    ("change", "lacking"),
    [
        ({"Action": "dynamodb:GetItem", "Resource": "*"}, "does not have dynamodb:GetItem"),
        ({"Action": ["s3:GetObject", "s3:PutObjectAcl"]}, "does not have s3:PutObjectAcl"),
        ({"Action": "s3:DeleteObject"}, "does not have s3:DeleteObject"),
        ({"Resource": "arn:aws:s3:::other/*"}, "does not have arn:aws:s3:::other"),
        ({"Resource": f"arn:aws:s3:::{BUCKET}2/*"}, "does not have arn:aws:s3:::unity-dev-data2"),
        ({"Action": "ecr:PutImage"}, "does not have arn:aws:s3:::"),
    ],
)
def test_uncovered_statement_is_refused(change: dict[str, Any], lacking: str) -> None:
    with pytest.raises(UsageError, match=f"--policy mine.json: the role of unity-dev {lacking}"):
        check({**READ, **change})


def test_deny_may_name_any_action() -> None:
    check(READ, {"Effect": "Deny", "Action": "dynamodb:*", "NotResource": "arn:aws:x:::y"})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is not JSON"),
        ("[]", "it is not a policy"),
        ('{"Version": "2012-10-17"}', "it is not a policy"),
        ('{"Statement": [], "Statment": []}', "it is not a policy"),
        ('{"Statement": []}', "it allows nothing"),
        ('{"Statement": {}, "Statement": {}}', "duplicate key 'Statement'"),
        ('{"Version": "2012", "Statement": []}', "its Version is '2012'"),
        ('{"Statement": [1]}', "statement 1: it is not an object"),
        ('{"Statement": {"Effect": "allow", "Action": "s3:*", "Resource": "*"}}', "must be Allow or Deny"),
        ('{"Statement": {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}}', "it allows nothing"),
        ('{"Statement": {"Effect": "Allow", "Action": "s3:*"}}', "must have either Resource or NotResource"),
        ('{"Statement": {"Effect": "Allow", "Action": "read", "Resource": "*"}}', "'read' is not an action"),
        ('{"Statement": {"Effect": "Allow", "Action": [], "Resource": "*"}}', "a text or a list of texts"),
        ('{"Statement": {"Effect": "Allow", "Action": 1, "Resource": "*"}}', "a text or a list of texts"),
        ('{"Statement": {"Effect": "Allow", "Actions": "s3:*"}}', "Actions is not an element"),
        ('{"Statement": {"Effect": "Allow", "Principal": "*"}}', "it has a Principal"),
        ('{"Statement": {"Effect":"Allow","Action":"*","Resource":"*","Condition":[]}}', "Condition must be"),
    ],
)
def test_invalid_policy_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=f"--policy mine.json: .*{reason}"):
        policy_file(text, "mine.json")


def test_invalid_character_is_named() -> None:
    text = json.dumps({"Statement": {**READ, "Sid": "x☃"}})
    found = scope(policy=policy_file(text, "mine.json"))
    with pytest.raises(UsageError, match=r"has '☃'; AWS takes characters up to U\+00FF only"):
        found.check(VENUE)


def test_its_length_is_counted_compact() -> None:
    check(READ, Id="x" * 1800)
    with pytest.raises(UsageError, match="AWS takes 2048"):
        check(READ, Id="x" * 2000)


patterns = st.text("ab*?", max_size=6)


@given(one=patterns, other=patterns, text=st.text("ab", max_size=6))
def test_patterns_matching_one_text_overlap(one: str, other: str, text: str) -> None:
    assert overlap(one, other) == overlap(other, one)
    assert overlap(one, text) == fnmatchcase(text, one)
    if fnmatchcase(text, one) and fnmatchcase(text, other):
        assert overlap(one, other)
