"""Terraform's diagnostics as one short message, with a remedy for the failures that operators meet."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from venue_access.errors import NEW_CREDENTIALS, SET_THE_CLOCK, StateLocked, TerraformError
from venue_access.provisioning.results import venue_of
from venue_access.sensitive import SensitiveStr, redact


@dataclass(frozen=True)
class Diagnostic:
    """A diagnostic of Terraform."""

    severity: str
    summary: str
    detail: str = ""
    address: str | None = None

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Diagnostic:
        """Return the ``diagnostic`` of a ``-json`` event."""
        return cls(event["severity"], event["summary"], event.get("detail", ""), event.get("address"))


# Pattern of a diagnostic, and remedy; the first match is used.
_REMEDIES: tuple[tuple[str, str], ...] = (
    (r"Signature (expired|not yet current)|RequestTimeTooSkewed|RequestInTheFuture|RequestExpired", SET_THE_CLOCK),
    (r"ExpiredToken|security token .* expired", NEW_CREDENTIALS),
    (r"InvalidClientTokenId|UnrecognizedClient|SignatureDoesNotMatch|No valid credential", NEW_CREDENTIALS),
    (
        r"AWS account ID not allowed",
        "these credentials belong to another account: export the right ones, or set aws_profile in the inventory",
    ),
    (
        r"state lock[\s\S]*PreconditionFailed",
        "the lock in S3 is not Terraform's; remove it with: invoke state.force-unlock --venue {venue} --lock '?'",
    ),
    (r"Saved plan is stale", "the stack changed after it was planned: run the command again"),
    (
        # botocore's codes of throttling (``botocore.retries.standard``), and what services say without one
        r"Throttl|TooManyRequests|Rate exceeded|RequestLimitExceeded|SlowDown|ProvisionedThroughputExceeded|"
        r"TransactionInProgress|BandwidthLimitExceeded|\bLimitExceededException|PriorRequestNotComplete",
        "wait a minute and run it again",
    ),
    (
        r"request send failed|unexpected EOF",
        "check the network, and run the command again: it imports what was created",
    ),
    (r"StatusCode: 5\d\d", "AWS has an internal error: run the command again in a few minutes"),
    (
        r"Scope ARN|PermissionsBoundary.* not exist",
        "set permissions_boundary in the inventory to a policy that this account has",
    ),
    (
        r"explicit deny",
        "the account denies this to everyone; if it requires a permissions boundary, set permissions_boundary in the"
        " inventory",
    ),
    (
        r"perform: iam:(CreateRole|PutRolePermissionsBoundary|DeleteRolePermissionsBoundary)",
        "invoke operator-policy --venue {venue} prints what an operator needs; many accounts allow this only with"
        " their permissions_boundary",
    ),
    (r"PoliciesPerRole|policies attached", "the role has too many policies: detach one, or raise the quota"),
    (r"LimitExceeded|ServiceQuotaExceeded", "a quota of the account is used up: raise it in Service Quotas"),
    (r"DeleteConflict", "another policy or resource depends on it: detach that first"),
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
        "set state.bucket in the inventory to a bucket that exists and that you may use",
    ),
    (r"no space left on device", "free some space on the disk of the work directory, and run the command again"),
)

# An error of the AWS provider, as the AWS SDK for Go formats it.
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
_LOCK = re.compile(r"^\W*(ID|Who|Created|Operation):\s*(.+?)\W*$", re.MULTILINE)
_LONGEST = 400


def failure(
    command: str,
    code: int,
    diagnostics: Sequence[Diagnostic],
    text: str,
    *,
    stack: str,
    venue: str,
    hide: Sequence[SensitiveStr] = (),
    now: datetime | None = None,
) -> TerraformError:
    """Return the error of a Terraform that ended with ``code``.

    :param text: what it printed besides its events, for a failure without diagnostics.
    :param venue: one of the stack's, for the command in a remedy.
    :param now: the present time, with a time zone.
    """
    errors = [each for each in diagnostics if each.severity == "error"]
    if not errors and code < 0:
        return TerraformError(f"{stack}: terraform {command} was killed (signal {-code})", hint="run the command again")
    if not errors:
        errors = [_from_box(text)] if text.strip() else [Diagnostic("error", f"terraform {command} ended with {code}")]
    venues = [venue_of(each.address or "")[0] for each in errors]
    everything = "\n".join(f"{each.summary}\n{each.detail}" for each in errors)
    message = redact(_message(stack, errors), *hide)
    if "Lock Info:" in everything:  # otherwise the lock is not held: it could not be written
        return StateLocked(message, hint=_unlocking(everything, venue, now or datetime.now(timezone.utc)))
    remedy = next((remedy for pattern, remedy in _REMEDIES if re.search(pattern, everything)), None)
    return TerraformError(
        message,
        hint=remedy and remedy.format(venue=next(filter(None, venues), venue)),
        venues=frozenset(filter(None, venues)) if all(venues) else frozenset(),
    )


def _unlocking(message: str, venue: str, now: datetime) -> str:
    facts = dict(_LOCK.findall(message))
    remove = f"invoke state.force-unlock --venue {venue} --lock {facts.get('ID', 'ID')}"
    try:
        since = datetime.fromisoformat(f"{facts.get('Created', '')[:19]}+00:00")
    except ValueError:
        since = now
    if now - since > timedelta(hours=1):
        return f"no run takes that long: a killed run left the lock; remove it with: {remove}"
    return f"wait for it to end (--lock-timeout); if that run is gone: {remove}"


def _message(stack: str, errors: Sequence[Diagnostic]) -> str:
    """Return each distinct error once, with its resources."""
    where: dict[tuple[str, str], list[str]] = {}
    for each in errors:
        venue, resource = venue_of(each.address or "")
        where.setdefault((venue or stack, _short(_what(each))), []).append(resource)
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
        return f"the connection to AWS broke at {_called(broken)} ({broken['why']})"
    refusal = _REFUSAL.search(text)
    if refusal is None:
        return text
    said = " ".join(refusal["said"].split())
    denied = _NOT_AUTHORIZED.search(said)
    if denied is not None:
        on = f" on {denied['resource']}" if denied["resource"] else ""
        why = f": {denied['why']}" if denied["why"] else ""
        return f"AWS does not allow {denied['action']}{on} to {denied['who']}{why}"
    fails = (refusal["status"] or "").startswith("5")
    # The SDK calls a response in no protocol of AWS's UnknownError.
    code = f"HTTP {refusal['status']}" if refusal["code"] == "UnknownError" else refusal["code"]
    details = f": {said}" if said and said != refusal["code"] else ""
    return f"AWS {'fails at' if fails else 'refused'} {_called(refusal)} ({code}){details}"


def _called(call: re.Match[str]) -> str:
    return f"{call['service'].replace(' ', '').lower()}:{call['operation']}"


def _short(text: str) -> str:
    line = " ".join(text.split()).rstrip(".:")
    return line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "..."


def _from_box(output: str) -> Diagnostic:
    """Return the first error in the boxes that Terraform prints; the whole output without one."""
    lines = [re.sub(r"^\s*[│╷╵] ?", "", line) for line in output.splitlines()]
    text = "\n".join(lines).split("Error: ", 1)[-1].split("\nError: ", 1)[0]
    summary, _, detail = text.strip().partition("\n")
    return Diagnostic("error", summary, detail.strip())
