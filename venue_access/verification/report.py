"""What a verification found: a line for each thing that was looked at or tried."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from venue_access.errors import DifferenceFound
from venue_access.inventory.model import Venue


@dataclass(frozen=True)
class Check:
    """One thing that was looked at or tried; never an external ID."""

    tried: str
    expected: str
    found: str
    holds: bool | None
    """None: it could not be told."""

    def line(self) -> str:
        """What was tried, what was expected, what came back."""
        mark = {True: "ok", False: "DIFFERS", None: "unclear"}[self.holds]
        return f"{mark:<8} {self.tried}: expected {self.expected}, found {self.found}"

    def document(self) -> dict[str, Any]:
        """Its part of the ``--json`` document."""
        return {"tried": self.tried, "expected": self.expected, "found": self.found, "holds": self.holds}


def compared(tried: str, expected: str, found: str) -> Check:
    """The check of a plain value."""
    return Check(tried, expected, found, expected == found)


@dataclass(frozen=True)
class Report:
    """Everything that was found of a venue."""

    venue: Venue
    checks: tuple[Check, ...]

    @property
    def differences(self) -> tuple[Check, ...]:
        """What is not as it should be."""
        return tuple(check for check in self.checks if check.holds is False)

    @property
    def unclear(self) -> tuple[Check, ...]:
        """The checks whose result could not be determined."""
        return tuple(check for check in self.checks if check.holds is None)

    def document(self) -> dict[str, Any]:
        """The ``--json`` document."""
        return {
            "venue": self.venue.name,
            "role_arn": self.venue.role_arn,
            "differences": len(self.differences),
            "unclear": len(self.unclear),
            "checks": [check.document() for check in self.checks],
        }

    def lines(self) -> Iterator[str]:
        """Return a line for each check, and a summary as the last line."""
        yield from (check.line() for check in self.checks)
        yield self._summary()

    def conclude(self) -> None:
        """Return if every check is ok.

        :raises DifferenceFound: a check differs, or its result is unclear.
        """
        total, differing, unclear = len(self.checks), len(self.differences), len(self.unclear)
        if differing:
            also = f", {unclear} unclear" if unclear else ""
            raise DifferenceFound(
                f"{self.venue.name}: {differing} of {total} checks differ{also}",
                hint=f"ask who changed it; what would be put right: invoke provision --venue {self.venue.name} --check",
            )
        if unclear:
            raise DifferenceFound(
                f"{self.venue.name}: nothing differs, but {unclear} of {total} checks {_are(unclear)} unclear",
                hint="each unclear line names the reason; run verify again when it no longer applies",
            )

    def _summary(self) -> str:
        total, differing, unclear = len(self.checks), len(self.differences), len(self.unclear)
        counts = f"{total - differing - unclear} ok, {differing} {'differs' if differing == 1 else 'differ'}"
        return f"{self.venue.name}: {total} check{'' if total == 1 else 's'}: {counts}, {unclear} unclear"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
