"""Turn what botocore raises, and answers that are not AWS's, into our errors; each says what to do about it."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from botocore import exceptions as fault
from botocore.parsers import ResponseParserError
from botocore.retries.base import BaseRetryableChecker
from botocore.retries.standard import RetryContext, ThrottledRetryableChecker

from venue_access.aws.errors import NEW_KEYS, no_keys, not_aws, refusal
from venue_access.deadline import is_abandoned
from venue_access.errors import AwsError, Unreachable
from venue_access.sensitive import SensitiveStr, redact

_NETWORK = "check the network and the endpoint's URL"
_HTML = (b"<html", b"<!doctype html", b"<head", b"<body")
_THROTTLING: BaseRetryableChecker = ThrottledRetryableChecker()
# TLS that ends in the middle may do the next time; whatever else is wrong with it does not change by itself.
_PASSING_TLS = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


class NotAwsError(Exception):
    """An answer is not AWS's; the message says how that was seen."""


class AbandonedError(Exception):
    """Nobody waits for a call any longer."""


def register(events: Any) -> None:
    """Have botocore's events look at each answer, and at each failed call before it is made again.

    They are documented: "before-send", "before-parse" and "needs-retry" (botocore, "Event list").
    """
    events.register("before-send", _check_wanted)
    events.register("before-parse", _check_answer)
    events.register("needs-retry", _check_hope)


def _check_wanted(**event: Any) -> None:
    if is_abandoned():
        raise AbandonedError


def _check_hope(caught_exception: Exception | None = None, **event: Any) -> None:
    """Raise what was caught where another attempt cannot help."""
    proxy_refuses = isinstance(caught_exception, fault.ProxyConnectionError) and "failed: 4" in str(
        caught_exception.kwargs.get("error")
    )
    broken_tls = isinstance(caught_exception, fault.SSLError) and not _caused_by(caught_exception, _PASSING_TLS)
    # botocore's own name for "anything else", such as a header that cannot be sent
    never_sent = type(caught_exception) is fault.HTTPClientError
    if caught_exception is not None and (proxy_refuses or broken_tls or never_sent):
        raise caught_exception


def _check_answer(operation_model: Any, response_dict: Mapping[str, Any], **event: Any) -> None:
    """Raise NotAwsError for an answer that no service of AWS gives.

    Faults of a server (HTTP 500 and above) are left to botocore, which tries again: AWS's own balancers answer some in
    HTML.
    """
    status, headers, body = response_dict["status_code"], response_dict["headers"], response_dict["body"]
    if status >= 500 or operation_model.http.get("method") == "HEAD":
        return
    if status < 300 and operation_model.has_streaming_output:
        if "x-amz-request-id" not in headers:  # Amazon S3 API reference, "Common Response Headers"
            raise NotAwsError(f"HTTP {status} without a request ID")
        return
    if body.lstrip()[:20].lower().startswith(_HTML):
        raise NotAwsError(f"HTTP {status}, {_redirect(headers) or 'an HTML page'}")
    if status < 300:
        return
    is_json = "json" in operation_model.service_model.resolved_protocol
    names = (b'"__type"', b'"code"', b'"Code"') if is_json else (b"<Code>",)
    if "x-amzn-errortype" not in headers and not any(name in body for name in names):
        kind = "an answer without an error code" if body.strip() else "an empty answer"
        raise NotAwsError(f"HTTP {status}, {_redirect(headers) or kind}")


def _redirect(headers: Mapping[str, str]) -> str | None:
    location = headers.get("location")
    if location is None:
        return None
    try:
        return f"a redirect to {urlsplit(location).hostname or 'another path'}"
    except ValueError:
        return "a redirect"


@contextmanager
def faults(
    what: str,
    hide: tuple[SensitiveStr | None, ...] = (),
    where: str = "AWS",
    ca_file: Callable[[], str | None] = lambda: None,
) -> Iterator[None]:
    """Turn botocore's exceptions into ours.

    :param what: the call, such as ``sts:AssumeRole``.
    :param hide: what AWS may quote and nobody may see.
    :param where: who is asked.
    :param ca_file: returns the file of certificate authorities in use, where it is not the machine's own.
    """
    try:
        yield
    except fault.ClientError as error:
        answer, metadata = error.response.get("Error", {}), error.response["ResponseMetadata"]
        status = metadata.get("HTTPStatusCode", 400)
        if not answer.get("Code"):
            raise not_aws(what, where, f"HTTP {status}") from None
        throttled = _THROTTLING.is_retryable(RetryContext(attempt_number=1, parsed_response=error.response))
        message = redact(answer.get("Message", ""), *hide)
        raise refusal(what, answer["Code"], message, status, throttled=throttled) from None
    except fault.NoCredentialsError:
        raise no_keys() from None
    except (fault.ProfileNotFound, fault.PartialCredentialsError, fault.ConfigParseError) as error:
        raise Unreachable(
            f"your AWS configuration is not usable: {error}", hint="mend ~/.aws/config, or the environment"
        ) from error
    except (fault.CredentialRetrievalError, fault.SSOError, fault.TokenRetrievalError) as error:
        raise Unreachable(f"no AWS keys could be had: {error}", hint=NEW_KEYS) from error
    except RuntimeError as error:
        if "still expired" not in str(error):  # what botocore says of AWS_CREDENTIAL_EXPIRATION in the past
            raise
        raise Unreachable("your AWS keys have expired", hint=NEW_KEYS) from None
    except (fault.HTTPClientError, fault.ConnectionError, fault.IncompleteReadError) as error:
        raise _connection_fault(error, what, where, ca_file()) from None
    except NotAwsError as error:
        raise not_aws(what, where, str(error)) from None
    except ResponseParserError:
        raise not_aws(what, where, "in another format") from None
    except fault.BotoCoreError as error:
        raise AwsError(f"{what} could not be made: {redact(str(error), *hide)}") from None
    except (KeyError, TypeError, AttributeError, ValueError) as error:  # what botocore's parsers meet in such an answer
        raise not_aws(what, where, type(error).__name__) from None


def _connection_fault(error: fault.BotoCoreError, what: str, where: str, ca_file: str | None) -> Unreachable:
    """Return what is wrong with the connection: without the request, which may hold credentials."""
    # Python's own error of a certificate, and urllib3's of a host name, are both of this kind.
    refused = _caused_by(error, (ValueError,)) if isinstance(error, fault.SSLError) else None
    if refused is not None:
        reason = getattr(refused, "verify_message", None) or str(refused)
        return Unreachable(
            f"the TLS certificate of {where} is not trusted for {what}: {reason.rstrip('.')}",
            hint="check the endpoint's URL; AWS_CA_BUNDLE names the CA file of a proxy that inspects TLS",
        )
    if isinstance(error, fault.SSLError):
        unusable = None if ca_file is None else _unusable(ca_file)
        if unusable is not None:
            return Unreachable(
                f"the CA file {ca_file} is not usable: {unusable}",
                hint="AWS_CA_BUNDLE, or ca_bundle in ~/.aws/config, names a file of certificates in PEM; unset it for"
                " the machine's own",
            )
        reason = getattr(_caused_by(error, (ssl.SSLError,)), "reason", None)
        if reason == "WRONG_VERSION_NUMBER":
            return Unreachable(f"{where} does not speak TLS ({what})", hint="check the endpoint's URL, and HTTPS_PROXY")
        return Unreachable(f"no TLS with {where} for {what} ({reason or type(error).__name__})", hint=_NETWORK)
    if isinstance(error, fault.ProxyConnectionError):
        refused_by = str(error.kwargs.get("error")).partition("Tunnel connection failed: ")[2][:3]
        how = f"refuses the connection (HTTP {refused_by})" if refused_by else "could not be reached"
        proxy = error.kwargs.get("proxy_url")  # botocore has taken the password out of it
        return Unreachable(f"the proxy {proxy} {how} for {what}", hint="check HTTPS_PROXY, HTTP_PROXY and NO_PROXY")
    return Unreachable(f"{where} could not be reached for {what} ({type(error).__name__})", hint=_NETWORK)


def _unusable(ca_file: str) -> str | None:
    try:
        ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        return "it holds no certificate"
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return None


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
