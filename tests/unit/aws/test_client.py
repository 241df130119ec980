"""The client: botocore's exceptions and AWS's refusals as the kit's errors, with nothing confidential in them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from botocore import exceptions as fault
from botocore.parsers import ResponseParserError
from botocore.retries.standard import ThrottledRetryableChecker

from venue_access.aws.botocore_adapter import NotAwsError, translated
from venue_access.aws.client import AssumedRole, AwsClient, CallerIdentity, Credentials, Endpoint
from venue_access.errors import AccessDenied, AwsError, ConnectionFailed, CredentialsError, ServiceUnavailable
from venue_access.sensitive import ExternalId, Secret


def refused(code: str, message: str = "no", status: int = 400) -> fault.ClientError:
    """As boto3 raises what AWS answers."""
    answer: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return fault.ClientError(answer, "AssumeRole")


@pytest.mark.parametrize(
    ("raised", "becomes", "says"),
    [
        (refused("ExpiredToken"), CredentialsError, "your AWS credentials have expired"),
        (refused("ExpiredTokenException"), CredentialsError, "your AWS credentials have expired"),
        (
            refused("InvalidClientTokenId"),
            CredentialsError,
            "AWS does not accept your credentials (InvalidClient",
        ),
        (
            refused("SignatureDoesNotMatch"),
            CredentialsError,
            "AWS does not accept your credentials (SignatureDoes",
        ),
        (refused("RequestTimeTooSkewed"), CredentialsError, "this machine's clock is off by more than AWS allows"),
        (refused("AccessDenied", "not you"), AccessDenied, "AWS refused sts:AssumeRole: not you"),
        (
            refused("SignatureDoesNotMatch", "Signature expired: 20261120T2200Z is now earlier than 20261120T2215Z"),
            CredentialsError,
            "this machine's clock is off by more than AWS allows",
        ),
        (
            refused("InvalidSignatureException", "Signature not yet current: 20261120T2300Z is still later"),
            CredentialsError,
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
        (fault.NoCredentialsError(), CredentialsError, "no AWS credentials found"),
        (fault.ProfileNotFound(profile="nowhere"), CredentialsError, "your AWS configuration is not usable"),
        (
            fault.EndpointConnectionError(endpoint_url="https://127.0.0.1:1"),
            ConnectionFailed,
            "AWS could not be reached",
        ),
        (fault.IncompleteReadError(actual_bytes=1, expected_bytes=2), ConnectionFailed, "AWS could not be reached"),
        (ResponseParserError("no XML"), ConnectionFailed, "the response of AWS to sts:AssumeRole is not from AWS"),
        (
            NotAwsError("HTTP 302, a redirect to x"),
            ConnectionFailed,
            "the response of AWS to sts:AssumeRole is not from AWS (HTTP",
        ),
        (fault.ReadTimeoutError(endpoint_url="https://127.0.0.1:1"), ConnectionFailed, "AWS could not be reached"),
    ],
)
def test_botocore_exceptions_become_errors_of_the_kit(raised: Exception, becomes: type[AwsError], says: str) -> None:
    with pytest.raises(becomes) as caught, translated("sts:AssumeRole"):
        raise raised
    assert caught.type is becomes
    assert caught.value.message.startswith(says)
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("code", vars(ThrottledRetryableChecker)["_THROTTLED_ERROR_CODES"])
def test_each_throttling_code_of_botocore_is_reported_as_throttling(code: str) -> None:
    with (
        pytest.raises(ServiceUnavailable, match="AWS is throttling iam:GetRole, also after retries"),
        translated("iam:GetRole"),
    ):
        raise refused(code)


@pytest.mark.parametrize("flaw", ["\n", "\r\n", " ", "\t", "\u00a0", "\u20ac", "\x00"])
@pytest.mark.parametrize("part", ["access key ID", "secret access key", "session token"])
def test_malformed_credentials_are_refused_by_part_and_not_shown(part: str, flaw: str) -> None:
    keys = {"access key ID": "AKIAEXAMPLE", "secret access key": "very/secret", "session token": "hush-hush"}
    keys[part] += flaw
    credentials = Credentials(keys["access key ID"], Secret(keys["secret access key"]), Secret(keys["session token"]))
    with pytest.raises(CredentialsError) as caught:
        credentials.check_usable()
    assert f"the {part} contains" in caught.value.message
    assert not [each for each in keys.values() if each.strip() in str(caught.value)]


def test_malformed_endpoint_url_is_named() -> None:
    credentials = Credentials("AKIA0", Secret("s"))
    with pytest.raises(ConnectionFailed, match="'localhost' is not the URL of an endpoint"):
        AwsClient(region="us-west-2", credentials=credentials, endpoint=Endpoint("localhost")).caller()


def test_expired_and_missing_credentials_have_a_remedy() -> None:
    for raised in (refused("ExpiredToken"), fault.NoCredentialsError()):
        with pytest.raises(CredentialsError, match="account portal"), translated("sts:AssumeRole"):
            raise raised


def test_packed_policy_too_large_has_a_remedy() -> None:
    with pytest.raises(AwsError, match="\n  scope the token less"), translated("sts:AssumeRole"):
        raise refused("PackedPolicyTooLarge", "Packed policy consumes 105% of allotted space")


def test_external_id_in_a_message_of_aws_is_redacted() -> None:
    hidden = ExternalId("va.secret-id")
    with pytest.raises(AwsError) as caught, translated("sts:AssumeRole", (hidden, None)):
        raise refused("ValidationError", "Value 'va.secret-id' at 'externalId' failed to satisfy constraint")
    assert "va.secret-id" not in str(caught.value)
    assert "****" in str(caught.value)


def test_endpoint_that_cannot_be_reached_is_named() -> None:
    with (
        pytest.raises(ConnectionFailed, match=r"https://127\.0\.0\.1:1 could not"),
        translated("sts:AssumeRole", where="https://127.0.0.1:1"),
    ):
        raise fault.EndpointConnectionError(endpoint_url="https://127.0.0.1:1")


def test_credentials_are_whole_in_a_child_process_and_redacted_in_print() -> None:
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


def test_role_session_differs_from_user() -> None:
    assert CallerIdentity("111122223333", "arn:aws:sts::111122223333:assumed-role/portal/me").is_role_session
    assert not CallerIdentity("111122223333", "arn:aws:iam::111122223333:user/me").is_role_session


@pytest.mark.parametrize(
    ("session", "chains"), [("me", True), ("i-0123456789abcdef0", False), ("i-0a1b2c3d", False), ("i-am-me", True)]
)
def test_instance_role_session_does_not_chain(session: str, chains: bool) -> None:
    caller = CallerIdentity("111122223333", f"arn:aws:sts::111122223333:assumed-role/issuer/{session}")
    assert (caller.is_role_session, caller.chains) == (True, chains)
    assert not CallerIdentity("111122223333", "arn:aws:iam::111122223333:user/me").chains
