"""What a run reports while it works, and Terraform's ``-json`` events as such reports."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Event = Mapping[str, Any]
"""One line of Terraform's ``-json`` output (Terraform documentation, "Machine-Readable UI")."""

_STARTED = {
    "create": "creating",
    "update": "changing",
    "delete": "destroying",
    "read": "reading",
    "replace": "replacing",
}
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


@dataclass(frozen=True)
class Applied:
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
    hook = event["hook"]
    action, address = hook.get("action", "read"), hook["resource"]["addr"]
    venue, resource = venue_of(address)
    if venue is None:
        return None
    if kind != "apply_complete":
        action = "read" if kind == "refresh_start" else action
        reporter.detail(f"{venue}: {_STARTED.get(action, action)} {resource}")
        return None
    if action not in _FINISHED:
        return None
    reporter.line(f"{venue}: {_FINISHED[action]} {resource}")
    return Applied(venue, action, address)


def venue_of(address: str) -> tuple[str | None, str]:
    """Return the venue that an address belongs to (None: no venue), and the resource's address within its module."""
    match = _ADDRESS.fullmatch(address)
    return (match["venue"], match["resource"]) if match else (None, address)
