"""A token as text."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from venue_access.aws import AssumedRole, Keys
from venue_access.masked import Secret
from venue_access.tokens.formats import aws_json

ARN = "arn:aws:sts::111122223333:assumed-role/unity-unity-dev-sts/alice-1"


def token(packed: int | None = None) -> AssumedRole:
    keys = Keys("ASIAEXAMPLE", Secret("very-secret"), Secret("of-session"))
    until = datetime(2026, 11, 20, 22, 15, tzinfo=timezone.utc)
    return AssumedRole(ARN, "AROAEXAMPLE:alice-1", keys, until, packed)


def test_a_token_is_what_the_aws_cli_prints() -> None:
    assert aws_json(token()) == {
        "AssumedRoleUser": {"AssumedRoleId": "AROAEXAMPLE:alice-1", "Arn": ARN},
        "Credentials": {
            "AccessKeyId": "ASIAEXAMPLE",
            "SecretAccessKey": "very-secret",
            "SessionToken": "of-session",
            "Expiration": "2026-11-20T22:15:00Z",
        },
    }


@pytest.mark.parametrize("packed", [0, 6])
def test_a_packed_size_is_there_where_aws_measured_one(packed: int) -> None:
    assert aws_json(token(packed))["PackedPolicySize"] == packed


def test_a_token_does_not_print_by_accident() -> None:
    assert "very-secret" not in repr(token())
    assert "of-session" not in str(token())
