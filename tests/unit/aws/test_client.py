"""The door to boto3: its faults as ours, and nothing confidential in them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from botocore import exceptions as fault
from botocore.parsers import ResponseParserError
from botocore.retries.standard import ThrottledRetryableChecker

from venue_access.aws.client import AssumedRole, AwsClient, CallerIdentity, Credentials, Endpoint
from venue_access.aws.errors import check_usable
from venue_access.aws.faults import NotAwsError, faults
from venue_access.errors import AccessDenied, AwsError, ServiceUnavailable, Unreachable
from venue_access.sensitive import ExternalId, Secret


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
        (refused("AccessDenied", "not you"), AccessDenied, "AWS refused sts:AssumeRole: not you"),
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
        (refused("Throttling"), ServiceUnavailable, "AWS is throttling sts:AssumeRole, also after retries"),
        (refused("SlowDown", status=503), ServiceUnavailable, "AWS is throttling sts:AssumeRole, also after retries"),
        (
            refused("InternalFailure", "An error occurred", status=500),
            ServiceUnavailable,
            "AWS fails at sts:AssumeRole (InternalFailure: An error occurred), also after retries",
        ),
        (
            refused("503", "Service Unavailable", status=503),
            ServiceUnavailable,
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
        (ResponseParserError("no XML"), Unreachable, "AWS did not answer sts:AssumeRole as AWS does"),
        (NotAwsError("HTTP 302, a redirect to x"), Unreachable, "AWS did not answer sts:AssumeRole as AWS does (HTTP"),
        (fault.ReadTimeoutError(endpoint_url="https://127.0.0.1:1"), Unreachable, "AWS could not be reached"),
    ],
)
def test_every_fault_of_boto3_becomes_one_of_ours(raised: Exception, becomes: type[AwsError], says: str) -> None:
    with pytest.raises(becomes) as caught, faults("sts:AssumeRole"):
        raise raised
    assert caught.type is becomes
    assert caught.value.message.startswith(says)
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("code", vars(ThrottledRetryableChecker)["_THROTTLED_ERROR_CODES"])
def test_every_code_that_botocore_takes_for_throttling_is_told_as_such(code: str) -> None:
    with (
        pytest.raises(ServiceUnavailable, match="AWS is throttling iam:GetRole, also after retries"),
        faults("iam:GetRole"),
    ):
        raise refused(code)


@pytest.mark.parametrize("flaw", ["\n", "\r\n", " ", "\t", "\u00a0", "\u20ac", "\x00"])
@pytest.mark.parametrize("part", ["access key ID", "secret access key", "session token"])
def test_keys_with_what_no_key_has_are_refused_by_name_and_not_shown(part: str, flaw: str) -> None:
    keys = {"access key ID": "AKIAEXAMPLE", "secret access key": "very/secret", "session token": "hush-hush"}
    keys[part] += flaw
    with pytest.raises(Unreachable) as caught:
        check_usable(
            Credentials(keys["access key ID"], Secret(keys["secret access key"]), Secret(keys["session token"]))
        )
    assert f"the {part} holds" in caught.value.message
    assert not [each for each in keys.values() if each.strip() in str(caught.value)]


def test_an_endpoint_that_is_no_url_is_named() -> None:
    with pytest.raises(Unreachable, match="'localhost' is not the URL of an endpoint"):
        AwsClient(region="us-west-2", keys=Credentials("AKIA0", Secret("s")), endpoint=Endpoint("localhost")).caller()


def test_expired_keys_and_missing_keys_say_where_new_ones_come_from() -> None:
    for raised in (refused("ExpiredToken"), fault.NoCredentialsError()):
        with pytest.raises(Unreachable, match="account portal"), faults("sts:AssumeRole"):
            raise raised


def test_a_session_policy_that_packs_too_large_is_to_be_scoped_less() -> None:
    with pytest.raises(AwsError, match="\n  scope the token less"), faults("sts:AssumeRole"):
        raise refused("PackedPolicyTooLarge", "Packed policy consumes 105% of allotted space")


def test_what_aws_quotes_of_an_external_id_is_masked() -> None:
    hidden = ExternalId("va.secret-id")
    with pytest.raises(AwsError) as caught, faults("sts:AssumeRole", (hidden, None)):
        raise refused("ValidationError", "Value 'va.secret-id' at 'externalId' failed to satisfy constraint")
    assert "va.secret-id" not in str(caught.value)
    assert "****" in str(caught.value)


def test_an_unreachable_endpoint_is_named() -> None:
    with (
        pytest.raises(Unreachable, match=r"https://127\.0\.0\.1:1 could not"),
        faults("sts:AssumeRole", where="https://127.0.0.1:1"),
    ):
        raise fault.EndpointConnectionError(endpoint_url="https://127.0.0.1:1")


def test_keys_reach_a_child_process_whole_and_print_masked() -> None:
    keys = Credentials("AKIA0", Secret("very-secret"), Secret("hush-hush"))
    assert keys.environment() == {
        "AWS_ACCESS_KEY_ID": "AKIA0",
        "AWS_SECRET_ACCESS_KEY": "very-secret",
        "AWS_SESSION_TOKEN": "hush-hush",
    }
    assert "AWS_SESSION_TOKEN" not in Credentials("AKIA0", Secret("very-secret")).environment()
    role = AssumedRole("arn", "id", keys, datetime(2026, 11, 20, tzinfo=timezone.utc))
    for shown in (repr(keys), str(role), f"{role}"):
        assert "very-secret" not in shown
        assert "hush-hush" not in shown


def test_a_role_session_is_told_from_a_user() -> None:
    assert CallerIdentity("111122223333", "arn:aws:sts::111122223333:assumed-role/portal/me").is_role_session
    assert not CallerIdentity("111122223333", "arn:aws:iam::111122223333:user/me").is_role_session


@pytest.mark.parametrize(
    ("session", "chains"), [("me", True), ("i-0123456789abcdef0", False), ("i-0a1b2c3d", False), ("i-am-me", True)]
)
def test_the_session_of_an_instances_own_role_begins_no_chain(session: str, chains: bool) -> None:
    caller = CallerIdentity("111122223333", f"arn:aws:sts::111122223333:assumed-role/issuer/{session}")
    assert (caller.is_role_session, caller.chains) == (True, chains)
    assert not CallerIdentity("111122223333", "arn:aws:iam::111122223333:user/me").chains
