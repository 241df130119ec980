"""Terraform's diagnostics as one short message, with a remedy for the failures that operators really meet: pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from venue_access.errors import NEW_CREDENTIALS, SET_THE_CLOCK, StateLocked, TerraformError
from venue_access.provisioning.progress import venue_of
from venue_access.sensitive import SensitiveStr, redact


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
    (r"Signature (expired|not yet current)|RequestTimeTooSkewed|RequestInTheFuture|RequestExpired", SET_THE_CLOCK),
    (r"ExpiredToken|security token .* expired", NEW_CREDENTIALS),
    (r"InvalidClientTokenId|UnrecognizedClient|SignatureDoesNotMatch|No valid credential", NEW_CREDENTIALS),
    (
        r"AWS account ID not allowed",
        "these keys belong to another account: export the right ones, or set aws_profile in the inventory",
    ),
    (
        r"state lock[\s\S]*PreconditionFailed",
        "Terraform did not write its lock in S3; free it with: invoke state.force-unlock --venue {venue} --lock '?'",
    ),
    (r"Saved plan is stale", "somebody else changed this stack after it was planned: run the command again"),
    (
        # botocore's codes of throttling (``botocore.retries.standard``), and what services say without one
        r"Throttl|TooManyRequests|Rate exceeded|RequestLimitExceeded|SlowDown|ProvisionedThroughputExceeded|"
        r"TransactionInProgress|BandwidthLimitExceeded|\bLimitExceededException|PriorRequestNotComplete",
        "wait a minute and run it again",
    ),
    (r"request send failed|unexpected EOF", "check the network, and run the command again: it imports what was made"),
    (r"StatusCode: 5\d\d", "a fault of AWS's own: run the command again in some minutes"),
    (
        r"Scope ARN|PermissionsBoundary.* not exist",
        "set permissions_boundary in the inventory to a policy that this account has",
    ),
    (
        r"explicit deny",
        "the account forbids this to everybody here; where it demands a permissions boundary, set"
        " permissions_boundary in the inventory",
    ),
    (
        r"perform: iam:(CreateRole|PutRolePermissionsBoundary|DeleteRolePermissionsBoundary)",
        "invoke operator-policy --venue {venue} prints what an operator needs; many accounts allow this only with"
        " their permissions_boundary",
    ),
    (r"PoliciesPerRole|policies attached", "the role has no room for more policies: detach one, or raise the quota"),
    (r"LimitExceeded|ServiceQuotaExceeded", "a quota of the account is used up: raise it in Service Quotas"),
    (r"DeleteConflict", "something of somebody else's hangs on it: detach that first"),
    (r"already exists|EntityAlreadyExists|ParameterAlreadyExists", "run the command again: it imports what exists"),
    (
        r"AccessDenied|Forbidden|not authorized to perform",
        "invoke operator-policy --venue {venue} prints what an operator needs",
    ),
    (
        r"Failed to query available provider packages|Failed to install provider|could not connect to registry",
        "the provider comes from registry.terraform.io or a mirror of it: scripts/bootstrap looks for one",
    ),
    (
        r"NoSuchBucket|S3 bucket .* does not exist",
        "state.bucket in the inventory must name a bucket that exists and that you may use",
    ),
    (r"no space left on device", "free some room on the disk of the work directory, and run the command again"),
)

# The AWS provider's account of a refusal, in the words of the AWS SDK for Go.
_CALL = (
    r"operation error (?P<service>[\w ]+): (?P<operation>\w+), (?:exceeded maximum number of attempts, \d+, )?"
    r"(?:https response error StatusCode: (?P<status>\d+), RequestID: [\w-]*, (?:HostID: [^,]*, )?)?"
)
_REFUSAL = re.compile(_CALL + r"(?:api error )?(?P<code>\w+): ?(?P<said>.*)", re.DOTALL)
_BROKEN = re.compile(_CALL + r".*?(?P<why>unexpected EOF|(?<=: )[^:\n]+$)", re.MULTILINE)
_BROKEN_BY = re.compile("request send failed|unexpected EOF")
_NOT_AUTHORIZED = re.compile(
    r"User: (?P<who>\S+) is not authorized to perform: (?P<action>\S+)"
    r"(?: on resource: (?P<resource>\S+))?(?:,? (?:because|with) (?P<why>.*))?"
)
# Without it nobody holds the lock: it could not be written.
_LOCKED = "Lock Info:"
_LOCK = re.compile(r"^\W*(ID|Who|Created|Operation):\s*(.+?)\W*$", re.MULTILINE)
_LONGEST = 400
_STALE = timedelta(hours=1)


def failure(
    command: str,
    code: int,
    diagnostics: Sequence[Diagnostic],
    talk: str,
    *,
    stack: str,
    venue: str,
    hide: Sequence[SensitiveStr] = (),
    now: datetime | None = None,
) -> TerraformError:
    """The error for a Terraform that ended with ``code``.

    :param talk: what it printed besides its events, for where it reported none.
    :param venue: one of the stack's, for a remedy that is the same for each.
    :param now: the present time, with a time zone.
    """
    errors = [each for each in diagnostics if each.severity == "error"]
    if not errors and code < 0:
        return TerraformError(f"{stack}: terraform {command} was killed (signal {-code})", hint="run the command again")
    if not errors:
        errors = [_from_box(talk)] if talk.strip() else [Diagnostic("error", f"terraform {command} ended with {code}")]
    venues = [venue_of(each.address or "")[0] for each in errors]
    everything = "\n".join(f"{each.summary}\n{each.detail}" for each in errors)
    message = redact(_message(stack, errors), *hide)
    if _LOCKED in everything:
        return StateLocked(message, hint=_unlocking(everything, venue, now or datetime.now(timezone.utc)))
    remedy = next((remedy for pattern, remedy in _REMEDIES if re.search(pattern, everything)), None)
    return TerraformError(
        message,
        hint=remedy and remedy.format(venue=next(filter(None, venues), venue)),
        venues=frozenset(filter(None, venues)) if all(venues) else frozenset(),
    )


def _unlocking(told: str, venue: str, now: datetime) -> str:
    facts = dict(_LOCK.findall(told))
    free = f"invoke state.force-unlock --venue {venue} --lock {facts.get('ID', 'ID')}"
    try:
        since = datetime.fromisoformat(f"{facts.get('Created', '')[:19]}+00:00")
    except ValueError:
        since = now
    if now - since > _STALE:
        return f"no run takes that long: it was left behind by one that was killed; free it with: {free}"
    return f"wait for it to end (--lock-timeout); if it is known to be gone: {free}"


def overdue(command: str, deadline: float, *, stack: str) -> TerraformError:
    """The error for a Terraform that was stopped after so many seconds."""
    return TerraformError(
        f"{stack}: terraform {command} was not done after {deadline / 60:.0f} minutes, and was stopped",
        hint="AWS or the network does not answer: look with invoke doctor, then run the command again: it imports what"
        " was made",
    )


def _message(stack: str, errors: Sequence[Diagnostic]) -> str:
    """Each thing that went wrong once, with the resources that it went wrong for."""
    where: dict[tuple[str, str], list[str]] = {}
    for each in errors:
        venue, resource = venue_of(each.address or "")
        where.setdefault((venue or stack, _what(each)), []).append(resource)
    lines = [
        ": ".join(filter(None, [venue, ", ".join(filter(None, resources)), what]))
        for (venue, what), resources in where.items()
    ]
    more = f" (and {len(lines) - 3} more)" if len(lines) > 3 else ""
    return "; ".join(lines[:3]) + more


def _what(problem: Diagnostic) -> str:
    text = f"{problem.summary}: {problem.detail}" if problem.detail else problem.summary
    if "state lock" in problem.summary or "locking state" in problem.summary:
        facts = dict(_LOCK.findall(problem.detail))
        if "Who" in facts:
            doing = facts.get("Operation", "").removeprefix("OperationType").lower()
            since = facts.get("Created", "")[:16]
            return f"the Terraform state is locked by {facts['Who']} since {since} UTC ({doing})"
        text = text.partition("\n")[0]  # what follows is of the lock that is not there
    broken = _BROKEN.search(text) if _BROKEN_BY.search(text) else None
    if broken is not None:
        return _short(f"the connection to AWS broke at {_called(broken)} ({broken['why']})")
    refusal = _REFUSAL.search(text)
    if refusal is None:
        return _short(text)
    said = " ".join(refusal["said"].split())
    denied = _NOT_AUTHORIZED.search(said)
    if denied is not None:
        on = f" on {denied['resource']}" if denied["resource"] else ""
        why = f": {denied['why']}" if denied["why"] else ""
        return _short(f"AWS does not allow {denied['action']}{on} to {denied['who']}{why}")
    fails = (refusal["status"] or "").startswith("5")
    # The SDK's word for an answer in no protocol of AWS's is UnknownError.
    code = f"HTTP {refusal['status']}" if refusal["code"] == "UnknownError" else refusal["code"]
    told = f": {said}" if said and said != refusal["code"] else ""
    return _short(f"AWS {'fails at' if fails else 'refused'} {_called(refusal)} ({code}){told}")


def _called(call: re.Match[str]) -> str:
    return f"{call['service'].replace(' ', '').lower()}:{call['operation']}"


def _short(text: str) -> str:
    line = " ".join(text.split()).rstrip(".:")
    return line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "..."


def _from_box(talk: str) -> Diagnostic:
    """The first error in the boxes that Terraform draws for a person; the whole where there is none."""
    lines = [re.sub(r"^\s*[│╷╵] ?", "", line) for line in talk.splitlines()]
    text = "\n".join(lines).split("Error: ", 1)[-1].split("\nError: ", 1)[0]
    summary, _, detail = text.strip().partition("\n")
    return Diagnostic("error", summary, detail.strip())
