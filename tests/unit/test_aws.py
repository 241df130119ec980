"""The door to boto3: its faults as ours, and nothing confidential in them."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions as fault
from botocore.parsers import ResponseParserError

from venue_access.aws import AssumedRole, Caller, Endpoint, Keys, _faults
from venue_access.errors import AccessRefused, AwsError, Unavailable, Unreachable
from venue_access.masked import ExternalId, Secret


def refused(code: str, message: str = "no", status: int = 400) -> fault.ClientError:
    """As boto3 raises what AWS answers."""
    answer: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return fault.ClientError(answer, "AssumeRole")


@pytest.mark.parametrize(
    ("raised", "becomes", "says"),
    [
        (refused("ExpiredToken"), Unreachable, "your AWS keys have expired"),
        (refused("ExpiredTokenException"), Unreachable, "your AWS keys have expired"),
        (refused("InvalidClientTokenId"), Unreachable, "AWS does not accept your keys (InvalidClientTokenId)"),
        (refused("SignatureDoesNotMatch"), Unreachable, "AWS does not accept your keys (SignatureDoesNotMatch)"),
        (refused("RequestTimeTooSkewed"), Unreachable, "this machine's clock is off by more than AWS allows"),
        (refused("AccessDenied", "not you"), AccessRefused, "AWS refused sts:AssumeRole: not you"),
        (
            refused("SignatureDoesNotMatch", "Signature expired: 20261120T2200Z is now earlier than 20261120T2215Z"),
            Unreachable,
            "this machine's clock is off by more than AWS allows",
        ),
        (
            refused("InvalidSignatureException", "Signature not yet current: 20261120T2300Z is still later"),
            Unreachable,
            "this machine's clock is off by more than AWS allows",
        ),
        (refused("Throttling"), Unavailable, "AWS is throttling sts:AssumeRole, also after retries"),
        (refused("SlowDown", status=503), Unavailable, "AWS is throttling sts:AssumeRole, also after retries"),
        (
            refused("InternalFailure", "An error occurred", status=500),
            Unavailable,
            "AWS fails at sts:AssumeRole (InternalFailure: An error occurred), also after retries",
        ),
        (
            refused("503", "Service Unavailable", status=503),
            Unavailable,
            "AWS fails at sts:AssumeRole (503: Service Unavailable), also after retries",
        ),
        (
            refused("PackedPolicyTooLarge", "Packed policy consumes 105% of allotted space"),
            AwsError,
            "AWS refused sts:AssumeRole (PackedPolicyTooLarge): Packed policy consumes 105% of allotted space",
        ),
        (
            refused("MalformedPolicyDocument", "bad"),
            AwsError,
            "AWS refused sts:AssumeRole (MalformedPolicyDocument): bad",
        ),
        (fault.NoCredentialsError(), Unreachable, "no AWS keys were found"),
        (fault.ProfileNotFound(profile="nowhere"), Unreachable, "your AWS configuration is not usable"),
        (fault.EndpointConnectionError(endpoint_url="https://127.0.0.1:1"), Unreachable, "AWS could not be reached"),
        (fault.IncompleteReadError(actual_bytes=1, expected_bytes=2), Unreachable, "AWS could not be reached"),
        (ResponseParserError("no XML"), Unreachable, "AWS could not be reached"),
        (fault.ReadTimeoutError(endpoint_url="https://127.0.0.1:1"), Unreachable, "AWS could not be reached"),
    ],
)
def test_every_fault_of_boto3_becomes_one_of_ours(raised: Exception, becomes: type[AwsError], says: str) -> None:
    with pytest.raises(becomes) as caught, _faults("sts:AssumeRole"):
        raise raised
    assert caught.type is becomes
    assert caught.value.message.startswith(says)
    assert caught.value.exit_code == 5


def test_expired_keys_and_missing_keys_say_where_new_ones_come_from() -> None:
    for raised in (refused("ExpiredToken"), fault.NoCredentialsError()):
        with pytest.raises(Unreachable, match="account portal"), _faults("sts:AssumeRole"):
            raise raised


def test_a_session_policy_that_packs_too_large_is_to_be_narrowed_less() -> None:
    with pytest.raises(AwsError, match="\n  narrow the token less"), _faults("sts:AssumeRole"):
        raise refused("PackedPolicyTooLarge", "Packed policy consumes 105% of allotted space")


def test_what_aws_quotes_of_an_external_id_is_masked() -> None:
    hidden = ExternalId("va.secret-id")
    with pytest.raises(AwsError) as caught, _faults("sts:AssumeRole", (hidden, None)):
        raise refused("ValidationError", "Value 'va.secret-id' at 'externalId' failed to satisfy constraint")
    assert "va.secret-id" not in str(caught.value)
    assert "****" in str(caught.value)


def test_an_unreachable_endpoint_is_named() -> None:
    with (
        pytest.raises(Unreachable, match=r"https://127\.0\.0\.1:1 could not"),
        _faults("sts:AssumeRole", endpoint=Endpoint("https://127.0.0.1:1", Path("ca.pem"))),
    ):
        raise fault.EndpointConnectionError(endpoint_url="https://127.0.0.1:1")


def test_keys_reach_a_child_process_whole_and_print_masked() -> None:
    keys = Keys("AKIA0", Secret("very-secret"), Secret("hush-hush"))
    assert keys.environment() == {
        "AWS_ACCESS_KEY_ID": "AKIA0",
        "AWS_SECRET_ACCESS_KEY": "very-secret",
        "AWS_SESSION_TOKEN": "hush-hush",
    }
    assert "AWS_SESSION_TOKEN" not in Keys("AKIA0", Secret("very-secret")).environment()
    role = AssumedRole("arn", "id", keys, datetime(2026, 11, 20, tzinfo=timezone.utc))
    for shown in (repr(keys), str(role), f"{role}"):
        assert "very-secret" not in shown
        assert "hush-hush" not in shown


def test_a_role_session_is_told_from_a_user() -> None:
    assert Caller("111122223333", "arn:aws:sts::111122223333:assumed-role/portal/me").is_role_session
    assert not Caller("111122223333", "arn:aws:iam::111122223333:user/me").is_role_session


@pytest.mark.parametrize(
    ("session", "chains"), [("me", True), ("i-0123456789abcdef0", False), ("i-0a1b2c3d", False), ("i-am-me", True)]
)
def test_the_session_of_an_instances_own_role_begins_no_chain(session: str, chains: bool) -> None:
    caller = Caller("111122223333", f"arn:aws:sts::111122223333:assumed-role/desk/{session}")
    assert (caller.is_role_session, caller.chains) == (True, chains)
    assert not Caller("111122223333", "arn:aws:iam::111122223333:user/me").chains
