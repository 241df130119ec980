"""Values of a YAML inventory beyond plain ones, and how much of them an inventory may hold.

The limits refuse a mistake or an attack before it takes the machine's time or memory.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

MAX_FILE_BYTES = 8 * 1024 * 1024
MAX_FILES = 20_000
MAX_BYTES = 4 * MAX_FILE_BYTES
MAX_VALUES = 100_000
MAX_HOSTS = 10_000
MAX_DEPTH = 50
"""Of values within values."""
MAX_GROUP_DEPTH = 100
MAX_WEIGHT = 20_000_000
"""Characters in the variables of all hosts together; those of a group count for each of its hosts."""
MAX_DIGITS = 100
"""Of a number: Python's time to convert one grows with the square of its digits."""
MAX_NAME = 255
"""Characters of a host's or group's name, which is also the name of a file."""
JINJA = ("{{", "{%", "{#")
"""What makes Ansible evaluate a string."""


class SourcedValue(NamedTuple):
    """A variable's value, and the file and line (from 1) that it comes from."""

    value: Any
    file: Path
    line: int | None = None


class LocatedDict(dict[Any, Any]):
    """A mapping of a document, with the line (from 1) of each key."""

    __slots__ = ("lines",)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.lines: dict[Any, int] = {}


def line_of(mapping: Mapping[Any, Any], key: object) -> int | None:
    """Return the line of a key in its document, or None where that is not known."""
    return mapping.lines.get(key) if isinstance(mapping, LocatedDict) else None


class UnsafeText(str):
    """A string tagged ``!unsafe``, which is never a template."""

    __slots__ = ()


@dataclass(frozen=True)
class Vaulted:
    """A string tagged ``!vault``, which is not decrypted."""

    ciphertext: str


class LimitExceeded(ValueError):
    """The inventory exceeds a limit, and reading it stops."""


@dataclass
class Limits:
    """What remains of the limits while an inventory is read."""

    files: int = MAX_FILES
    """Directory entries, read or not."""
    size: int = MAX_BYTES
    values: int = MAX_VALUES

    def take_files(self, count: int) -> None:
        """Count directory entries."""
        self.files -= count
        if self.files < 0:
            raise LimitExceeded(f"the inventory has more than {MAX_FILES} files; check that this is the right folder")

    def take_bytes(self, count: int) -> None:
        """Count the bytes of a file."""
        self.size -= count
        if self.size < 0:
            raise LimitExceeded(f"the inventory's files are larger than {MAX_BYTES // 1024 // 1024} MiB together")

    def take_values(self, count: int) -> None:
        """Count the values of a document."""
        self.values -= count
        if self.values < 0:
            raise LimitExceeded(f"the inventory has more than {MAX_VALUES} values")


def weight(values: Iterable[object]) -> int:
    """Return roughly the characters of values as JSON, or any number above the limit."""
    total, waiting = 0, list(values)
    while waiting and total <= MAX_WEIGHT:
        part = waiting.pop()
        total += 8
        if isinstance(part, (str, bytes)):
            total += len(part)
        elif isinstance(part, dict):
            waiting.extend(part)
            waiting.extend(part.values())
        elif isinstance(part, (list, tuple, set)):
            waiting.extend(part)
    return total


def kind(value: object) -> str:
    """Return the type of a value in YAML's terms, for a message."""
    if isinstance(value, bool):
        return "a boolean"
    for types, word in _KINDS:
        if isinstance(value, types):
            return word
    return f"a {type(value).__name__}"


_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (type(None), "null"),
    (str, "a string"),
    ((int, float), "a number"),
    (Mapping, "a mapping"),
    ((list, tuple), "a list"),
)


def parts(value: Any) -> Iterator[Any]:
    """Yield a value and everything inside it, keys of mappings included."""
    yield value
    if isinstance(value, dict):
        for key, part in value.items():
            yield key
            yield from parts(part)
    elif isinstance(value, (list, tuple, set)):
        for part in value:
            yield from parts(part)


def is_template(value: Any) -> bool:
    """Return whether Ansible would evaluate a value as Jinja."""
    return isinstance(value, str) and not isinstance(value, UnsafeText) and any(mark in value for mark in JINJA)


def to_json(value: Any) -> Any:
    """Return a value as ``ansible-inventory --list`` writes it: unsafe and vaulted strings wrapped, dates as ISO 8601.

    :raises TypeError: JSON cannot represent it: binary data, or a key that is a date.
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
