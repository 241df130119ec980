"""The result of one check of the doctor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from venue_access.errors import CheckFailed, VenueAccessError


class Level(Enum):
    """How serious a result is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Check:
    """What was checked, what was found, and the remedy."""

    what: str
    found: str
    level: Level = Level.OK
    remedy: str | None = None

    def line(self) -> str:
        """Return the line, or two with the remedy, for the terminal."""
        line = f"{self.level.value:<7}  {self.what}: {self.found}"
        return line if self.remedy is None else f"{line}\n{'':9}{self.remedy}"

    def document(self) -> dict[str, Any]:
        """Return the check's part of the ``--json`` document."""
        return {"what": self.what, "level": self.level.value, "found": self.found, "remedy": self.remedy}


def failed(what: str, error: VenueAccessError) -> Check:
    """Return the result of a check that raised an error."""
    return Check(what, error.message, Level.ERROR, error.hint)


def conclude(checks: Sequence[Check]) -> None:
    """Raise an error if a check has one.

    :raises CheckFailed: it does.
    """
    count = sum(check.level is Level.ERROR for check in checks)
    if count:
        raise CheckFailed("1 check failed" if count == 1 else f"{count} checks failed")
