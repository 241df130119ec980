"""How AWS fails: what the tests' proxy answers, or does to the connection, in place of AWS or after it."""

from __future__ import annotations

import enum
import json
import random
from collections.abc import Callable, Mapping
from xml.sax.saxutils import escape

AwsResponse = tuple[int, bytes]
"""A status and a body."""


class Fault(enum.Enum):
    """One way in which a call goes wrong."""

    THROTTLED = "throttling"
    INTERNAL_ERROR = "500"
    UNAVAILABLE = "503"
    RESET = "a reset before the call was carried out"
    LOST = "a reset after it was"
    CUT_OFF = "a body that ends too early"
    SLOW = "slowness"
    EXPIRED = "keys that have expired"
    SKEWED = "a clock that is wrong"

    def __str__(self) -> str:
        return self.name

    @property
    def is_carried_out(self) -> bool:
        """Whether AWS does what it was asked, though the caller may not hear of it."""
        return self in (Fault.LOST, Fault.CUT_OFF, Fault.SLOW)


PASSING = tuple(fault for fault in Fault if fault not in (Fault.EXPIRED, Fault.SKEWED))
"""Those after which the same call may do."""

FaultOf = Callable[[str], Fault | None]
"""What goes wrong with a call of an operation; None for nothing."""


def none(operation: str) -> Fault | None:
    """No fault."""
    return None


def always(fault: Fault, *operations: str) -> FaultOf:
    """A fault of each call of these operations; of every call where none is named."""
    return lambda operation: fault if not operations or operation in operations else None


def first(fault: Fault, *operations: str) -> FaultOf:
    """A fault of the first call of each operation: of these, or of every one where none is named."""
    seen: set[str] = set()

    def choose(operation: str) -> Fault | None:
        if operation in seen or (operations and operation not in operations):
            return None
        seen.add(operation)
        return fault

    return choose


def at_random(seed: int, rate: float) -> FaultOf:
    """A passing fault of any kind at a rate, the same for the same calls in the same order."""
    chance = random.Random(seed)
    return lambda operation: chance.choice(PASSING) if chance.random() < rate else None


_CODES = {
    Fault.THROTTLED: {"json": "ThrottlingException", "query": "Throttling", "s3": "SlowDown"},
    Fault.INTERNAL_ERROR: {"json": "InternalServerError", "query": "InternalFailure", "s3": "InternalError"},
    Fault.EXPIRED: {"json": "ExpiredTokenException", "query": "ExpiredToken", "s3": "ExpiredToken"},
    Fault.SKEWED: {
        "json": "InvalidSignatureException",
        "query": "SignatureDoesNotMatch",
        "s3": "RequestTimeTooSkewed",
    },
}
_SAID = {
    Fault.THROTTLED: "Rate exceeded",
    Fault.INTERNAL_ERROR: "We encountered an internal error. Please try again.",
    Fault.EXPIRED: "The security token included in the request is expired",
    Fault.SKEWED: "Signature expired: 20261120T2200Z is now earlier than 20261120T2215Z (20261120T2230Z - 15 min.)",
}


def answer(fault: Fault, headers: Mapping[str, str]) -> AwsResponse:
    """What AWS answers in place of carrying a call out, in the protocol that it was asked in."""
    protocol = _protocol(headers)
    if fault is Fault.UNAVAILABLE:
        # The balancers before a service answer so, in no protocol of AWS's (botocore, ``_is_generic_error_response``).
        return 503, b"<html><body><b>Http/1.1 Service Unavailable</b></body></html>"
    status = 403 if fault in (Fault.EXPIRED, Fault.SKEWED) and protocol != "json" else 400
    if fault is Fault.INTERNAL_ERROR:
        status = 500
    elif fault is Fault.THROTTLED and protocol == "s3":
        status = 503
    return status, refusal(headers, _CODES[fault][protocol], _SAID[fault])


def refusal(headers: Mapping[str, str], code: str, message: str) -> bytes:
    """An error as AWS answers it (Smithy, AWS JSON and AWS query protocols; Amazon S3 API reference)."""
    protocol = _protocol(headers)
    if protocol == "json":
        return json.dumps({"__type": code, "message": message}).encode()
    if protocol == "s3":
        return f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>".encode()
    error_text = f"<Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message>"
    return f"<ErrorResponse><Error>{error_text}</Error><RequestId>0a1b2c3d</RequestId></ErrorResponse>".encode()


def _protocol(headers: Mapping[str, str]) -> str:
    named = {name.lower(): value for name, value in headers.items()}
    if "x-amz-target" in named:
        return "json"
    return "query" if "x-www-form-urlencoded" in named.get("content-type", "") else "s3"
