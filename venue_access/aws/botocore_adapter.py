"""The adapter to botocore: its sessions, and its exceptions and AWS's error codes as the kit's errors.

Functions import botocore when they need it, so that importing this module costs nothing.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from venue_access.errors import (
    NEW_CREDENTIALS,
    SET_THE_CLOCK,
    AccessDenied,
    AwsError,
    ConnectionFailed,
    CredentialsError,
    ServiceUnavailable,
)
from venue_access.sensitive import SensitiveStr, redact
from venue_access.times import is_abandoned

if TYPE_CHECKING:
    from venue_access.aws.types import RoleSession

# The services that the kit and its tests call, and that botocore calls to find an operator's credentials.
_SERVICES = ("ecr", "iam", "kms", "s3", "signin", "ssm", "sso", "sso-oidc", "sts")
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"}
_INVALID = {
    *("AuthFailure", "IncompleteSignature", "InvalidAccessKeyId", "InvalidClientTokenId", "InvalidSignatureException"),
    *("InvalidToken", "MissingAuthenticationToken", "SignatureDoesNotMatch", "UnrecognizedClientException"),
}
_DENIED = {"AccessDenied", "AccessDeniedException", "AllAccessDisabled", "UnauthorizedOperation"}
_SKEWED = {"RequestTimeTooSkewed", "RequestInTheFuture", "RequestExpired"}
# Most services report it with the code of a wrong signature (IAM User Guide, "Troubleshoot AWS Signature V4").
_SKEWED_SIGNATURE = re.compile(r"Signature (expired|not yet current)")
_NETWORK = "check the network and the endpoint's URL"
# TLS that ends in the middle may work the next time; any other TLS fault persists.
_PASSING_TLS = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


def new_session(*, has_credentials: bool, role: RoleSession | None) -> Any:
    """Return a botocore session.

    :param has_credentials: whether its clients are given credentials: a profile or a file that the environment names
        is then not read, since it may be broken.
    :param role: the role session whose credentials its clients use.
    """
    from botocore.loaders import Loader
    from botocore.session import Session

    class KnownServices(Loader):
        """A loader that does not search four hundred folders for services at each start."""

        def list_available_services(self, type_name: str) -> list[str]:
            return list(_SERVICES)

    no_file = (None, None, os.devnull, None)
    no_profile = {"profile": (None,) * 4, "config_file": no_file, "credentials_file": no_file}
    session: Any = Session(session_vars=no_profile if has_credentials or role is not None else None)
    session.register_component("data_loader", KnownServices())
    for event, check in (
        ("before-send", _check_awaited),  # documented in botocore's "Event list", as the others are
        ("before-parse", _check_response),
        ("needs-retry", _check_retry),
    ):
        session.register(event, check)
    if role is not None:
        session.register_component("credential_provider", role.credential_resolver())
    return session


class AwsResponse(dict[str, Any]):
    """A response of AWS, in which a missing member that AWS always sends is an error.

    :raises ConnectionFailed: the member that is read is missing.
    """

    def __init__(self, members: Mapping[str, Any], what: str, where: str) -> None:
        super().__init__(members)
        self._from = what, where

    def __missing__(self, key: str) -> Any:
        raise _not_aws(*self._from, f"without {key}")


# -- botocore's events -------------------------------------------------------------------------------------------------


class NotAwsError(Exception):
    """A response is not from AWS; the message says how that shows."""


class AbandonedError(Exception):
    """The caller no longer waits for the call."""


def _check_awaited(**event: Any) -> None:
    if is_abandoned():
        raise AbandonedError


def _check_retry(caught_exception: Exception | None = None, **event: Any) -> None:
    """Raise an exception again that another attempt cannot avoid."""
    from botocore import exceptions

    if isinstance(caught_exception, exceptions.ProxyConnectionError):
        persists = "failed: 4" in str(caught_exception.kwargs.get("error"))
    elif isinstance(caught_exception, exceptions.SSLError):
        persists = not _caused_by(caught_exception, _PASSING_TLS)
    else:  # botocore's own name for "anything else", such as a header that cannot be sent
        persists = type(caught_exception) is exceptions.HTTPClientError
    if caught_exception is not None and persists:
        raise caught_exception


def _check_response(operation_model: Any, response_dict: Mapping[str, Any], **event: Any) -> None:
    """Raise NotAwsError for a response that no AWS service gives.

    botocore retries server errors (HTTP 500 and above), so these pass: AWS's own load balancers send some as HTML.
    """
    status, headers, body = response_dict["status_code"], response_dict["headers"], response_dict["body"]
    if status >= 500 or operation_model.http.get("method") == "HEAD":
        return
    if status < 300 and operation_model.has_streaming_output:
        if "x-amz-request-id" not in headers:  # Amazon S3 API reference, "Common Response Headers"
            raise NotAwsError(f"HTTP {status} without a request ID")
        return
    is_json = "json" in operation_model.service_model.resolved_protocol
    codes = (b'"__type"', b'"code"', b'"Code"') if is_json else (b"<Code>",)
    if body.lstrip()[:20].lower().startswith((b"<html", b"<!doctype html", b"<head", b"<body")):
        kind = "an HTML page"
    elif status < 300 or "x-amzn-errortype" in headers or any(name in body for name in codes):
        return
    else:
        kind = "a response without an error code" if body.strip() else "an empty response"
    if "location" in headers:
        try:
            kind = f"a redirect to {urlsplit(headers['location']).hostname or 'another path'}"
        except ValueError:
            kind = "a redirect"
    raise NotAwsError(f"HTTP {status}, {kind}")


# -- exceptions --------------------------------------------------------------------------------------------------------


@contextmanager
def translated(
    what: str,
    hide: tuple[SensitiveStr | None, ...] = (),
    where: str = "AWS",
    ca_file: Callable[[], str | None] = lambda: None,
) -> Iterator[None]:
    """Translate botocore's exceptions into the kit's errors.

    :param what: the call, such as ``sts:AssumeRole``.
    :param hide: confidential values that AWS may quote.
    :param where: the endpoint, for messages.
    :param ca_file: returns the CA file in use; None for the CAs of the machine.
    """
    from botocore import exceptions
    from botocore.parsers import ResponseParserError

    try:
        yield
    except exceptions.ClientError as error:
        raise _from_response(what, where, error.response, hide) from None
    except exceptions.NoCredentialsError:
        raise no_credentials() from None
    except (exceptions.ProfileNotFound, exceptions.PartialCredentialsError, exceptions.ConfigParseError) as error:
        raise CredentialsError(
            f"your AWS configuration is not usable: {error}", hint="correct ~/.aws/config, or the environment"
        ) from error
    except (exceptions.CredentialRetrievalError, exceptions.SSOError, exceptions.TokenRetrievalError) as error:
        raise CredentialsError(f"cannot get AWS credentials: {error}", hint=NEW_CREDENTIALS) from error
    except RuntimeError as error:
        if "still expired" not in str(error):  # botocore's words for an AWS_CREDENTIAL_EXPIRATION in the past
            raise
        raise CredentialsError("your AWS credentials have expired", hint=NEW_CREDENTIALS) from None
    except (exceptions.HTTPClientError, exceptions.ConnectionError, exceptions.IncompleteReadError) as error:
        raise _from_connection(error, what, where, ca_file()) from None
    except NotAwsError as error:
        raise _not_aws(what, where, str(error)) from None
    except ResponseParserError:
        raise _not_aws(what, where, "in another format") from None
    except exceptions.BotoCoreError as error:
        raise AwsError(f"cannot call {what}: {redact(str(error), *hide)}") from None
    except (KeyError, TypeError, AttributeError, ValueError) as error:  # botocore's parsers, of such a response
        raise _not_aws(what, where, type(error).__name__) from None


def no_credentials() -> CredentialsError:
    """Return the error for an operator without credentials."""
    return CredentialsError("no AWS credentials found", hint=f"{NEW_CREDENTIALS}, or name a profile with aws_profile")


def _not_aws(what: str, where: str, kind: str) -> ConnectionFailed:
    """Return the error for a response that is not from AWS, such as a proxy's page; ``kind`` says how that shows."""
    return ConnectionFailed(
        f"the response of {where} to {what} is not from AWS ({kind})",
        hint="check what responds instead: a proxy, a network's sign-in page, another service at the endpoint's URL",
    )


def _from_response(
    what: str, where: str, response: Mapping[str, Any], hide: tuple[SensitiveStr | None, ...]
) -> AwsError:
    """Return the error for an error response of AWS, with nothing confidential in AWS's own message."""
    from botocore.retries.standard import RetryContext, ThrottledRetryableChecker

    code = response.get("Error", {}).get("Code")
    status = response["ResponseMetadata"].get("HTTPStatusCode", 400)
    if not code:
        return _not_aws(what, where, f"HTTP {status}")
    message = redact(response["Error"].get("Message", ""), *hide)
    if code in _SKEWED or _SKEWED_SIGNATURE.search(message):
        return CredentialsError("this machine's clock is off by more than AWS allows", hint=SET_THE_CLOCK, code=code)
    if code in _EXPIRED:
        return CredentialsError("your AWS credentials have expired", hint=NEW_CREDENTIALS, code=code)
    if code in _INVALID:
        return CredentialsError(f"AWS does not accept your credentials ({code})", hint=NEW_CREDENTIALS, code=code)
    if code in _DENIED:
        return AccessDenied(f"AWS refused {what}: {message}", code=code)
    throttling: Any = ThrottledRetryableChecker()
    if throttling.is_retryable(RetryContext(attempt_number=1, parsed_response=response)):
        said, hint = f"AWS is throttling {what}, also after retries", "wait a minute, then run the command again"
        return ServiceUnavailable(said, hint=hint, code=code)
    if status >= 500:
        said = f"AWS fails at {what} ({': '.join(filter(None, [code, message]))}), also after retries"
        return ServiceUnavailable(said, hint="run the command again in some minutes", code=code)
    remedy = None
    if code == "PackedPolicyTooLarge":  # only AWS can tell: it compresses the session policy and the tags
        remedy = "scope the token less: fewer prefixes or repositories, a shorter policy"
    elif "session limit for roles assumed by role chaining" in message:
        remedy = "your credentials are a role session: ask for 1h or less, or issue with those of an IAM user"
    return AwsError(f"AWS refused {what} ({code}): {message}", hint=remedy, code=code)


def _from_connection(error: Exception, what: str, where: str, ca_file: str | None) -> ConnectionFailed:
    """Return the error for a failed connection, without the request, which may hold credentials."""
    from botocore import exceptions

    if isinstance(error, exceptions.ProxyConnectionError):
        status = str(error.kwargs.get("error")).partition("Tunnel connection failed: ")[2][:3]
        how = f"refuses the connection (HTTP {status})" if status else "could not be reached"
        proxy = error.kwargs.get("proxy_url")  # botocore has removed the password from it
        return ConnectionFailed(
            f"the proxy {proxy} {how} for {what}", hint="check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
        )
    if not isinstance(error, exceptions.SSLError):
        return ConnectionFailed(f"{where} could not be reached for {what} ({type(error).__name__})", hint=_NETWORK)
    # Python's own error of a certificate, and urllib3's of a host name, are both of this kind.
    refused = _caused_by(error, (ValueError,))
    if refused is not None:
        reason = getattr(refused, "verify_message", None) or str(refused)
        return ConnectionFailed(
            f"the TLS certificate of {where} is not trusted for {what}: {reason.rstrip('.')}",
            hint="check the endpoint's URL; AWS_CA_BUNDLE names the CA file of a proxy that inspects TLS",
        )
    try:
        ssl.create_default_context(cafile=ca_file)
    except OSError as unusable:
        no_pem = isinstance(unusable, ssl.SSLError)
        reason = "it holds no certificate" if no_pem else (unusable.strerror or str(unusable)).lower()
        return ConnectionFailed(
            f"the CA file {ca_file} is not usable: {reason}",
            hint="AWS_CA_BUNDLE, or ca_bundle in ~/.aws/config, names a file of certificates in PEM; unset it to"
            " use the CAs of this machine",
        )
    reason = getattr(_caused_by(error, (ssl.SSLError,)), "reason", None)
    if reason == "WRONG_VERSION_NUMBER":
        return ConnectionFailed(
            f"{where} does not speak TLS ({what})", hint="check the endpoint's URL, and HTTPS_PROXY"
        )
    return ConnectionFailed(f"no TLS with {where} for {what} ({reason or type(error).__name__})", hint=_NETWORK)


def _caused_by(error: BaseException, kinds: tuple[type[BaseException], ...]) -> BaseException | None:
    """Return the first exception of these kinds among an exception and its causes."""
    seen: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in seen:
        if isinstance(at, kinds):
            return at
        seen.append(at)
        at = at.__cause__ or at.__context__
    return None
