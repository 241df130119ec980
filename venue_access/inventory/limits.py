"""How large an inventory may be: a slip or malice is refused before it takes the machine's time or memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

LARGEST_FILE = 8 * 1024 * 1024
MOST_FILES = 20_000
MOST_BYTES = 4 * LARGEST_FILE
MOST_VALUES = 100_000
MOST_HOSTS = 10_000
DEEPEST_GROUP = 100
MOST_GIVEN = 20_000_000
"""Characters in the variables of all hosts together, those of a group counted for each of its hosts."""
LONGEST_NUMBER = 100
"""Digits: the rest of a program takes time that grows with their square, or refuses to print it."""
LONGEST_NAME = 255
"""Of a host or group: it is also the name of a file."""


class LimitExceeded(ValueError):
    """The inventory goes beyond a limit; there is no sense in reading on."""


@dataclass
class Limits:
    """What is left of the limits while an inventory is read."""

    files: int = MOST_FILES
    """Entries of folders, read or not."""
    size: int = MOST_BYTES
    values: int = MOST_VALUES

    def take_files(self, count: int = 1) -> None:
        self.files -= count
        if self.files < 0:
            raise LimitExceeded(f"the inventory has more than {MOST_FILES} files; is this the right folder?")

    def take_bytes(self, count: int) -> None:
        self.size -= count
        if self.size < 0:
            raise LimitExceeded(f"the inventory's files are larger than {MOST_BYTES // 1024 // 1024} MiB together")

    def take_values(self, count: int) -> None:
        self.values -= count
        if self.values < 0:
            raise LimitExceeded(f"the inventory has more than {MOST_VALUES} values")


def weight(value: object) -> int:
    """Roughly the characters of a value as JSON."""
    total, waiting = 0, [value]
    while waiting:
        part = waiting.pop()
        total += 8
        if isinstance(part, (str, bytes)):
            total += len(part)
        elif isinstance(part, dict):
            waiting.extend(part)
            waiting.extend(part.values())
        elif isinstance(part, (list, tuple, set)):
            waiting.extend(part)
        if total > MOST_GIVEN:
            return total
    return total


def weight_of_all(values: Iterable[object]) -> int:
    """The weight of several values."""
    return sum(map(weight, values))
