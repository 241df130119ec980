"""Terraform's ``-json`` events as what a person wants to know of them: pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_DOING = {"create": "creating", "update": "changing", "delete": "destroying", "read": "reading", "replace": "replacing"}
_DONE = {"create": "created", "update": "changed", "delete": "destroyed"}
_ADDRESS = re.compile(r'module\.venue\["(?P<venue>[^"]+)"\]\.(?P<resource>.+)')


def venue_of(address: str) -> tuple[str | None, str]:
    """The venue that an address belongs to, and the resource's address within its module."""
    match = _ADDRESS.fullmatch(address)
    return (match["venue"], match["resource"]) if match else (None, address)


def doing(event: Mapping[str, Any]) -> str | None:
    """What Terraform is about, for a line that is rewritten; None where it is nothing new."""
    kind = event.get("type")
    if kind == "refresh_start":
        venue, resource = venue_of(event["hook"]["resource"]["addr"])
        return f"{venue}: reading {resource}" if venue else None
    if kind in ("apply_start", "apply_progress"):
        hook = event["hook"]
        venue, resource = venue_of(hook["resource"]["addr"])
        return f"{venue}: {_DOING.get(hook['action'], hook['action'])} {resource}" if venue else None
    return None


@dataclass(frozen=True)
class Done:
    """Something that Terraform has finished."""

    venue: str
    action: str
    """``create``, ``update`` or ``delete``."""
    address: str

    def line(self) -> str:
        return f"{self.venue}: {_DONE[self.action]} {venue_of(self.address)[1]}"


def done(event: Mapping[str, Any]) -> Done | None:
    """What Terraform has finished; None where the event is another."""
    if event.get("type") != "apply_complete":
        return None
    action, address = event["hook"]["action"], event["hook"]["resource"]["addr"]
    venue, _ = venue_of(address)
    return Done(venue, action, address) if venue and action in _DONE else None
