"""The values a YAML inventory can hold beyond plain ones, and their JSON as ``ansible-inventory`` writes it."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

JINJA = ("{{", "{%", "{#")
"""What makes Ansible evaluate a text."""


class SourcedValue(NamedTuple):
    """A variable's value and the file it stands in."""

    value: Any
    file: Path


class UnsafeText(str):
    """A text tagged ``!unsafe``: never a template, whatever it looks like."""

    __slots__ = ()


@dataclass(frozen=True)
class Vaulted:
    """A text tagged ``!vault``; it is not decrypted."""

    ciphertext: str


def parts(value: Any) -> Iterator[Any]:
    """``value`` and everything inside it, keys of mappings included."""
    yield value
    if isinstance(value, dict):
        for key, part in value.items():
            yield key
            yield from parts(part)
    elif isinstance(value, (list, tuple, set)):
        for part in value:
            yield from parts(part)


def is_template(value: Any) -> bool:
    """Whether Ansible would evaluate ``value`` as Jinja."""
    return isinstance(value, str) and not isinstance(value, UnsafeText) and any(mark in value for mark in JINJA)


def to_json(value: Any) -> Any:
    """``value`` as ``ansible-inventory --list`` writes it: unsafe and vaulted texts wrapped, dates as ISO 8601.

    :raises TypeError: it holds what JSON has no form for: binary data, or a key that is a date.
    """
    if isinstance(value, UnsafeText):
        return {"__ansible_unsafe": str(value)}
    if isinstance(value, Vaulted):
        return {"__ansible_vault": value.ciphertext}
    if isinstance(value, dict):
        return {key if isinstance(key, str) else json.dumps(key): to_json(part) for key, part in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [to_json(part) for part in value]
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, bytes):
        raise TypeError
    return value
