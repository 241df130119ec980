"""A plan in full as lines a person reads: resource by resource, attribute by attribute; pure.

Nothing confidential passes: the caller's hidden values are masked, and so is what Terraform marks as sensitive, but
for policies, whose text is worth seeing once the external IDs are masked in it.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from venue_access.sensitive import REDACTED, SensitiveStr, redact

_MARKS = {
    ("create",): "+",
    ("update",): "~",
    ("delete",): "-",
    ("delete", "create"): "-/+",
    ("create", "delete"): "+/-",
    ("no-op",): " ",
    ("forget",): ".",
}
_POLICIES = ("assume_role_policy", "policy")
_UNKNOWN = "(known after apply)"


@dataclass(frozen=True)
class Difference:
    """What a plan changes of one resource."""

    mark: str
    """``+``, ``~``, ``-`` and the like, as Terraform's."""
    address: str
    imported: bool
    attributes: tuple[str, ...]

    def lines(self, address: str) -> list[str]:
        """It under a name for the resource, and its attributes below."""
        return [
            f"{self.mark} {address}{' (imported)' if self.imported else ''}",
            *(f"    {line}" for line in self.attributes),
        ]


def differences(plan: Mapping[str, Any], hide: Sequence[SensitiveStr]) -> list[Difference]:
    """The changes in ``terraform show -json`` of a plan.

    :param hide: every external ID there is, old or new.
    """
    found = []
    for resource in plan.get("resource_changes", ()):
        change = resource["change"]
        actions = tuple(change["actions"])
        imported = bool(change.get("importing"))
        if resource.get("mode") != "managed" or (actions == ("no-op",) and not imported):
            continue
        attributes = tuple(redact(line, *hide) for line in _attributes(change))
        found.append(Difference(_MARKS.get(actions, "?"), resource["address"], imported, attributes))
    return found


def _attributes(change: Mapping[str, Any]) -> Iterator[str]:
    before, after = change.get("before") or {}, change.get("after") or {}
    unknown = change.get("after_unknown") or {}
    if not isinstance(unknown, dict):
        unknown = {}
    for name in sorted({*before, *after, *(name for name, value in unknown.items() if value is True)}):
        old: Any = before.get(name)
        new: Any = _UNKNOWN if unknown.get(name) is True else after.get(name)
        if old == new or (old in (None, {}, []) and new in (None, {}, [], _UNKNOWN)):
            continue
        if name == "tags_all" and (old or {}, new or {}) == (before.get("tags") or {}, after.get("tags") or {}):
            continue  # Terraform's account of the same tags
        if name in _POLICIES:
            yield f"{name}:"
            yield from (f"  {line}" for line in _policy_lines(old, new))
        elif _is_sensitive(change, name):
            yield f"{name}: {REDACTED}"
        elif not before:
            yield f"{name}: {_text(new)}"
        elif all(each is None or isinstance(each, dict) for each in (old, new)):
            yield from _entries(name, old or {}, new or {})
        else:
            yield f"{name}: {_text(old)} -> {_text(new)}"


def _entries(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """The entries of a map, such as tags, that are not the same."""
    for key in sorted({*old, *new}):
        was, will = (_text(each[key]) if key in each else "(none)" for each in (old, new))
        if was != will:
            yield f"{name}.{key}: {was} -> {will}"


def _is_sensitive(change: Mapping[str, Any], name: str) -> bool:
    marks = (change.get("before_sensitive"), change.get("after_sensitive"))
    return any(isinstance(mark, dict) and bool(mark.get(name)) for mark in marks)


def _policy_lines(old: str | None, new: str | None) -> Iterator[str]:
    lines = list(difflib.unified_diff(_pretty(old), _pretty(new), lineterm="", n=2))
    yield from (line for line in lines if not line.startswith(("---", "+++", "@@")))
    if not lines:
        yield "an external ID changes"


def _pretty(policy: str | None) -> list[str]:
    if not policy or policy == _UNKNOWN:
        return [policy] if policy else []
    try:
        return json.dumps(_without_ids(json.loads(policy)), indent=2).splitlines()
    except ValueError:
        return [REDACTED]  # whatever it is, it may hold an ID


def _without_ids(part: Any) -> Any:
    """A part of a policy document with the external IDs in it masked, whatever operator compares them."""
    if isinstance(part, dict):
        return {
            key: REDACTED if key.lower() == "sts:externalid" else _without_ids(value) for key, value in part.items()
        }
    return [_without_ids(each) for each in part] if isinstance(part, list) else part


def _text(value: Any) -> str:
    return value if value == _UNKNOWN else json.dumps(value, sort_keys=True)
