"""Terraform's ``-json`` events as what a person wants to know of them: pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
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


def done(event: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """What Terraform has finished: venue, action (``create``, ``update``, ``delete``), resource."""
    if event.get("type") != "apply_complete":
        return None
    hook = event["hook"]
    venue, resource = venue_of(hook["resource"]["addr"])
    return (venue, hook["action"], resource) if venue and hook["action"] in _DONE else None


def done_line(venue: str, action: str, resource: str) -> str:
    """A finished step as a line."""
    return f"{venue}: {_DONE[action]} {resource}"
