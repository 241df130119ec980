"""What AWS refuses, by its error code, as our errors: each with what to do about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from venue_access.aws.types import Credentials
from venue_access.errors import AccessDenied, AwsError, ServiceUnavailable, Unreachable

_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"}
_NOT_VALID = {
    "AuthFailure",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "InvalidToken",
    "MissingAuthenticationToken",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_REFUSED = {"AccessDenied", "AccessDeniedException", "AllAccessDisabled", "UnauthorizedOperation"}
_SKEWED = {"RequestTimeTooSkewed", "RequestInTheFuture", "RequestExpired"}
# Most services say it with the code of a signature that is wrong (IAM User Guide, "Troubleshoot AWS Signature V4").
_SKEWED_SIGNATURE = re.compile(r"Signature (expired|not yet current)")
ABSENT = {"NoSuchEntity", "ParameterNotFound", "NoSuchBucket", "NoSuchKey", "404"}
PRESENT = {"EntityAlreadyExists", "BucketAlreadyOwnedByYou", "ParameterAlreadyExists"}
_FAILING = 500  # the lowest HTTP status of an answer that is a fault of AWS's own
_TOO_LARGE = "PackedPolicyTooLarge"  # only AWS can say: it compresses the session policy and the tags
_KEY = re.compile(r"[!-~]+", re.ASCII)
_CHAINED = "session limit for roles assumed by role chaining"

SET_THE_CLOCK = "set this machine's clock, and run the command again: invoke doctor shows by how much it is off"
NEW_KEYS = "get new keys from your account portal, export them, and run the command again"


def no_keys() -> Unreachable:
    """The error for an operator without any keys."""
    return Unreachable("no AWS keys were found", hint=f"{NEW_KEYS}, or name a profile with aws_profile")


def not_aws(what: str, where: str, kind: str) -> Unreachable:
    """The error for an answer that is none of AWS's, such as a proxy's page.

    :param kind: how that was seen.
    """
    return Unreachable(
        f"{where} did not answer {what} as AWS does ({kind})",
        hint="see what answers in its place: a proxy, a network's sign-in page, another service at the endpoint's URL",
    )


class AwsResponse(dict[str, Any]):
    """What AWS answered, from which a member that AWS always sends cannot be missing unseen.

    :raises Unreachable: one is asked for that is not there.
    """

    def __init__(self, members: Mapping[str, Any], what: str, where: str) -> None:
        super().__init__(members)
        self._from = what, where

    def __missing__(self, key: str) -> Any:
        raise not_aws(*self._from, f"without {key}")


def check_usable(keys: Credentials) -> None:
    """Refuse keys that hold what no key does, such as the line break that a careless ``export`` leaves in one.

    :raises Unreachable: it names the part of them.
    """
    token = keys.session_token
    parts = {
        "access key ID": keys.access_key_id,
        "secret access key": keys.secret_access_key.reveal(),
        "session token": "-" if token is None else token.reveal(),
    }
    for name, text in parts.items():
        if not _KEY.fullmatch(text):
            raise Unreachable(
                f"your AWS keys cannot be used: the {name} holds a line break, a space or another character that no key"
                " has",
                hint="set it again, in the environment or in ~/.aws/credentials",
            )


def refusal(what: str, code: str, said: str, status: int = 400, *, throttled: bool = False) -> AwsError:
    """The error for a call that AWS refused.

    :param what: the call, such as ``sts:AssumeRole``.
    :param said: AWS's own words, with nothing confidential left in them.
    :param status: of HTTP.
    :param throttled: whether botocore knows the code as one of throttling.
    """
    if code in _SKEWED or _SKEWED_SIGNATURE.search(said):
        message = "this machine's clock is off by more than AWS allows"
        return Unreachable(message, hint=SET_THE_CLOCK, code=code)
    if code in _EXPIRED:
        return Unreachable("your AWS keys have expired", hint=NEW_KEYS, code=code)
    if code in _NOT_VALID:
        return Unreachable(f"AWS does not accept your keys ({code})", hint=NEW_KEYS, code=code)
    if code in _REFUSED:
        return AccessDenied(f"AWS refused {what}: {said}", code=code)
    if throttled:
        return ServiceUnavailable(
            f"AWS is throttling {what}, also after retries", hint="wait a minute, then again", code=code
        )
    if status >= _FAILING:
        message = f"AWS fails at {what} ({': '.join(filter(None, [code, said]))}), also after retries"
        return ServiceUnavailable(message, hint="run the command again in some minutes", code=code)
    hint = "scope the token less: fewer prefixes or repositories, a shorter policy" if code == _TOO_LARGE else None
    if _CHAINED in said:
        hint = "your keys are a role's session: ask for 1h or less, or issue with the keys of an IAM user"
    return AwsError(f"AWS refused {what} ({code}): {said}", hint=hint, code=code)
