"""The results of a run, venue by venue: Ansible's recap, documents, messages and the exit code."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple, TypeVar

from venue_access.errors import (
    AwsError,
    CheckFailed,
    ConnectionFailed,
    CredentialsError,
    Interrupted,
    TerraformError,
    VenueAccessError,
)
from venue_access.inventory.model import Venue, names_of
from venue_access.provisioning.venue_snapshot import Stage
from venue_access.times import iso, to_minute

Event = Mapping[str, Any]
"""One line of Terraform's ``-json`` output (Terraform documentation, "Machine-Readable UI")."""

_STARTED = {"create": "creating", "update": "changing", "delete": "destroying", "replace": "replacing"}
_FINISHED = {"create": "created", "update": "changed", "delete": "destroyed"}
_ADDRESS = re.compile(r'module\.venue\["(?P<venue>[^"]+)"\]\.(?P<resource>.+)')


@dataclass(frozen=True)
class Reporter:
    """Report progress: ``now`` and its ``detail`` are transient, ``line`` and ``warn`` stay, ``done`` ends it."""

    now: Callable[[str], None] = lambda text: None
    detail: Callable[[str], None] = lambda text: None
    line: Callable[[str], None] = lambda text: None
    warn: Callable[[str], None] = lambda text: None
    done: Callable[[], None] = lambda: None


class Applied(NamedTuple):
    """A resource that Terraform has created, changed or destroyed."""

    venue: str
    action: str
    """``create``, ``update`` or ``delete``."""
    address: str


def report_event(reporter: Reporter, event: Event) -> Applied | None:
    """Report an event of Terraform; return what it has applied, if anything."""
    kind = event.get("type")
    if kind not in ("refresh_start", "apply_start", "apply_progress", "apply_complete"):
        return None
    action, address = event["hook"].get("action", "read"), event["hook"]["resource"]["addr"]
    venue, resource = venue_of(address)
    if venue is not None and kind != "apply_complete":
        started = "reading" if kind == "refresh_start" else _STARTED.get(action, "reading")
        reporter.detail(f"{venue}: {started} {resource}")
    elif venue is not None and action in _FINISHED:
        reporter.line(f"{venue}: {_FINISHED[action]} {resource}")
        return Applied(venue, action, address)
    return None


def venue_of(address: str) -> tuple[str | None, str]:
    """Return the venue that an address belongs to (None: no venue), and the resource's address within its module."""
    match = _ADDRESS.fullmatch(address)
    return (match["venue"], match["resource"]) if match else (None, address)


T = TypeVar("T")


@dataclass
class VenueResult:
    """What a run did to one venue."""

    venue: Venue
    in_place: set[str] = field(default_factory=set)
    """Addresses of the resources that exist afterwards."""
    counts: Counter[str] = field(default_factory=Counter)
    """Resources by action: ``create``, ``update``, ``delete``, ``import``."""
    proofs: int = 0
    skipped: int = 0
    error: VenueAccessError | None = None
    differences: list[str] = field(default_factory=list)
    """What the plan changes, attribute by attribute, if that was asked for; not confidential."""

    @property
    def changed(self) -> int:
        return self.counts["create"] + self.counts["update"] + self.counts["delete"]

    @property
    def unreachable(self) -> bool:
        return isinstance(self.error, (CredentialsError, ConnectionFailed))

    @property
    def failed(self) -> bool:
        return self.error is not None and not self.unreachable

    def document(self) -> dict[str, Any]:
        """Return the venue's part of the ``--json`` document."""
        return {
            "stack": self.venue.stack,
            "changed": self.changed > 0,
            "add": self.counts["create"],
            "change": self.counts["update"],
            "destroy": self.counts["delete"],
            "failed": self.failed,
            "unreachable": self.unreachable,
            "error": None if self.error is None else str(self.error),
            "role_arn": self.venue.role_arn,
            "external_id_parameter": self.venue.external_id_parameter,
        }


class StackResults(dict[str, VenueResult]):
    """The results of one stack's venues, by name. A venue that fails at a step is left out of the next ones."""

    def __init__(self, venues: Iterable[Venue]) -> None:
        super().__init__((venue.name, VenueResult(venue)) for venue in venues)

    def active(self) -> tuple[Venue, ...]:
        """Return the venues that have not failed."""
        return tuple(result.venue for result in self.values() if result.error is None)

    def each(self, step: Callable[[Venue], T], *, at_once: int = 1) -> dict[str, T]:
        """Call ``step`` for each active venue, and return what it returns; record what it raises as the venue's error.

        :param at_once: how many calls to make side by side.
        :raises CredentialsError, ConnectionFailed: as ``step`` did: the account is the same for every venue.
        """
        active = self.active()
        in_threads = min(at_once, len(active)) > 1
        done: dict[str, T] = {}
        with ThreadPoolExecutor(at_once) as pool:
            calls = [pool.submit(step, venue).result if in_threads else partial(step, venue) for venue in active]
            for venue, call in zip(active, calls, strict=True):
                try:
                    done[venue.name] = call()
                except (CredentialsError, ConnectionFailed):
                    raise
                except VenueAccessError as error:
                    self[venue.name].error = error
        return done

    def fail(self, error: VenueAccessError) -> None:
        """Record an error for the active venues that it names, or for all if it names none of them."""
        named = error.venues if isinstance(error, TerraformError) else frozenset()
        active = self.active()
        for venue in [venue for venue in active if venue.name in named] or active:
            self[venue.name].error = error


@dataclass
class Rotation:
    """What a rotation did; never an ID."""

    venue: Venue
    began: Stage = Stage.ABSENT
    ended: Stage = Stage.ABSENT
    """The stage when the venue was last read."""
    steps: list[str] = field(default_factory=list)
    rotated: bool = False
    """Whether this run promoted a new ID, or retired an old one."""
    until: datetime | None = None
    """When the grace period ends, if one is in progress; UTC."""

    def line(self) -> str:
        """Return the result as a line."""
        name = self.venue.name
        if self.ended is Stage.PROMOTED:
            grace = "" if self.until is None else f" (grace period until {to_minute(self.until)})"
            finish = f"retire it with: invoke rotate-external-id --venue {name} --finish"
            return f"{name}: the new external ID is in use; the old one is still accepted{grace}; {finish}"
        return f"{name}: the external ID was rotated" if self.rotated else f"{name}: no rotation is in progress"

    def document(self) -> dict[str, Any]:
        """Return the ``--json`` document."""
        return {
            "venue": self.venue.name,
            "began": self.began.value,
            "ended": self.ended.value,
            "steps": list(self.steps),
            "complete": self.ended is Stage.STABLE,
            "grace_until": None if self.until is None else iso(self.until),
        }


def error_messages(errors: Sequence[tuple[Venue, VenueAccessError | None]]) -> list[str]:
    """Return each error once, with the venues it is about unless it names them or is about all.

    :param errors: of every venue of the run.
    """
    about: dict[str, list[Venue]] = {}
    for venue, error in errors:
        if error is not None:
            about.setdefault(str(error), []).append(venue)
    messages = []
    for message, venues in about.items():
        is_named = any(
            each.name in message or message.startswith((f"{each.stack}: ", f"stack {each.stack}: ")) for each in venues
        )
        is_general = len(venues) == len(errors)
        messages.append(message if is_named or is_general else f"{names_of(venues)}: {message}")
    return messages


def recap(results: Sequence[VenueResult]) -> list[str]:
    """Return Ansible's recap, a line a venue; ``ok`` counts resources in place and proofs that held."""
    width = max((len(result.venue.name) for result in results), default=0)
    return [
        f"{result.venue.name:<{width}} : ok={len(result.in_place) + result.proofs} changed={result.changed}"
        f" unreachable={int(result.unreachable)} failed={int(result.failed)} skipped={result.skipped}"
        " rescued=0 ignored=0"
        for result in results
    ]


def plan_summary(results: Sequence[VenueResult]) -> list[str]:
    """Return what the plans of ``--check`` would do, in Terraform's words: a line a venue, and the total of several.

    A venue without a plan, as its error says, has no line.
    """

    def planned(counts: Counter[str]) -> str:
        imported = f"{counts['import']} to import, " if counts["import"] else ""
        return f"{imported}{counts['create']} to add, {counts['update']} to change, {counts['delete']} to destroy"

    with_plan = [result for result in results if result.error is None or result.changed]
    lines = [f"{result.venue.name}: {planned(result.counts)}" for result in with_plan]
    if len(results) > 1:
        missing = len(results) - len(with_plan)
        total = sum((result.counts for result in with_plan), Counter[str]())
        lines.append(f"total: {planned(total)}{f'; {missing} without a plan' if missing else ''}")
    return lines


def drift_lines(results: Sequence[VenueResult]) -> list[str]:
    """Return a table of which venues match the inventory, and the differences of the others."""
    width = max((len(result.venue.name) for result in results), default=0)
    lines = []
    for result in results:
        state = "differs" if result.changed else "in sync"
        if result.error is not None:
            state = f"unknown: {result.error.message}"
        lines += [f"{result.venue.name:<{width}}  {state}", *(f"    {line}" for line in result.differences)]
    return lines


def drift_document(results: Sequence[VenueResult]) -> dict[str, Any]:
    """Return the same as one document."""
    venues = {
        result.venue.name: {
            "in_sync": None if result.error is not None else not result.changed,
            "differences": result.differences,
            "error": None if result.error is None else str(result.error),
        }
        for result in results
    }
    return {"venues": venues}


def exit_code(results: Sequence[VenueResult], *, fail_on_change: bool = False) -> int:
    """Return the exit code: 130 after Ctrl-C, the first of 4, 5 and 7 that occurred, else the first error's."""
    codes = [result.error.exit_code for result in results if result.error is not None]
    if fail_on_change and any(result.changed for result in results):
        codes.append(CheckFailed.exit_code)
    for code in (Interrupted.exit_code, TerraformError.exit_code, AwsError.exit_code, CheckFailed.exit_code):
        if code in codes:
            return code
    return codes[0] if codes else 0
