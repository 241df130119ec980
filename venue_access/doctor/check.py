"""One thing that was looked at, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from venue_access.errors import CheckFailed, VenueAccessError


class Grade(Enum):
    """How it stands."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    WRONG = "wrong"


@dataclass(frozen=True)
class Check:
    """What was looked at, how it stands, and what to do about it."""

    what: str
    found: str
    grade: Grade = Grade.GOOD
    remedy: str | None = None

    def line(self) -> str:
        """For people."""
        told = f"{self.grade.value:<9} {self.what}: {self.found}"
        return told if self.remedy is None else f"{told}\n{'':10}{self.remedy}"

    def document(self) -> dict[str, Any]:
        """Its part of the ``--json`` document."""
        return {"what": self.what, "is": self.grade.value, "found": self.found, "remedy": self.remedy}


def wrong(what: str, error: VenueAccessError) -> Check:
    """The check of something that failed."""
    return Check(what, error.message, Grade.WRONG, error.hint)


def conclude(checks: Sequence[Check]) -> None:
    """Say how it all stands.

    :raises CheckFailed: something is wrong.
    """
    count = sum(check.grade is Grade.WRONG for check in checks)
    if count:
        raise CheckFailed("something is wrong" if count == 1 else f"{count} things are wrong")
