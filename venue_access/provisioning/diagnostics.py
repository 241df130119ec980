"""Terraform's diagnostics as one short message, with a remedy for the failures that operators really meet."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from venue_access.aws import NEW_KEYS
from venue_access.errors import TerraformError
from venue_access.masked import Masked, scrub


@dataclass(frozen=True)
class Diagnostic:
    """One thing that Terraform reports."""

    severity: str
    summary: str
    detail: str = ""
    address: str | None = None

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Diagnostic:
        """From the ``diagnostic`` of a ``-json`` event."""
        return cls(told["severity"], told["summary"], told.get("detail", ""), told.get("address"))


# What stands in a diagnostic, and what to do about it; the first that fits is taken.
_REMEDIES: tuple[tuple[str, str], ...] = (
    (r"ExpiredToken|security token .* expired|RequestExpired", NEW_KEYS),
    (r"InvalidClientTokenId|UnrecognizedClient|SignatureDoesNotMatch|No valid credential", NEW_KEYS),
    (r"not.{0,20}allowed by `?allowed_account_ids|AWS account ID not allowed", "these keys belong to another account"),
    (
        r"Error acquiring the state lock",
        "somebody else is at work on this stack: wait; where they are known to be gone, terraform force-unlock ID",
    ),
    (
        r"Saved plan is stale",
        "somebody else changed this stack after it was planned; nothing was done, run the command again",
    ),
    (
        r"Throttling|TooManyRequests|Rate exceeded|SlowDown",
        "AWS is throttling; wait a minute and run the command again",
    ),
    (
        r"[Pp]ermissions ?[Bb]oundary|PermissionsBoundary",
        "check permissions_boundary in the inventory: the account demands one, or the one named does not exist",
    ),
    (r"PoliciesPerRole|policies attached", "the role has no room for more policies: detach one, or raise the quota"),
    (r"LimitExceeded|ServiceQuotaExceeded", "a quota of the account is used up: raise it in Service Quotas"),
    (r"DeleteConflict", "something of somebody else's hangs on it: detach that first"),
    (r"already exists|EntityAlreadyExists|ParameterAlreadyExists", "run the command again: it adopts what exists"),
    (r"AccessDenied|not authorized to perform", "invoke operator-policy --venue NAME prints what an operator needs"),
    (
        r"Failed to query available provider packages|Failed to install provider|could not connect to registry",
        "the provider comes from registry.terraform.io or a mirror of it: scripts/bootstrap looks for one",
    ),
    (r"no space left on device", "free some room on the disk of the work directory, and run the command again"),
)

_REQUEST_ID = re.compile(r",? ?(https response error )?StatusCode: \d+, RequestID: [\w-]+,?")
_LOCK = re.compile(r"^\s*(ID|Who|Created|Operation):\s*(.+?)\s*$", re.MULTILINE)


def failure(
    command: str, code: int, diagnostics: Sequence[Diagnostic], talk: str, *, hide: Sequence[Masked] = ()
) -> TerraformError:
    """The error for a Terraform that ended with ``code``.

    :param talk: what it printed besides its events, for where it reported none.
    """
    errors = [each for each in diagnostics if each.severity == "error"]
    if not errors:
        if code < 0:
            return TerraformError(f"terraform {command} was killed (signal {-code})", hint="run the command again")
        told = _plain_error(talk)
        return TerraformError(f"terraform {command} failed: {scrub(told, *hide)}", hint=_remedy(talk))
    first = errors[0]
    text = "; ".join(_one_line(each) for each in errors[:3])
    more = f" (and {len(errors) - 3} more)" if len(errors) > 3 else ""
    return TerraformError(scrub(f"{text}{more}", *hide), hint=_remedy(f"{first.summary} {first.detail}"))


def _one_line(problem: Diagnostic) -> str:
    where = f"{problem.address}: " if problem.address else ""
    detail = problem.detail
    if "state lock" in problem.summary:
        detail = ", ".join(f"{key} {value}" for key, value in _LOCK.findall(detail))
    summary = problem.summary
    # The provider's summary is the whole AWS error; its detail then adds nothing.
    text = summary if not detail or "operation error" in summary else f"{summary}: {detail}"
    return where + " ".join(_REQUEST_ID.sub("", text).split())[:600]


def _plain_error(talk: str) -> str:
    """What stands behind ``Error:`` in Terraform's box of a message, on one line."""
    text = talk.split("Error:", 1)[-1] if "Error:" in talk else talk
    return " ".join(re.sub(r"[│╷╵]", " ", text).split())[:600] or "it said nothing"


def _remedy(text: str) -> str | None:
    return next((remedy for pattern, remedy in _REMEDIES if re.search(pattern, text)), None)
