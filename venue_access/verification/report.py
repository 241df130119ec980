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
    advice: str | None = None
    """What would be better, though nothing differs."""

    @property
    def differences(self) -> tuple[Check, ...]:
        """What is not as it should be."""
        return tuple(check for check in self.checks if check.holds is False)

    def document(self) -> dict[str, Any]:
        """The ``--json`` document."""
        return {
            "venue": self.venue.name,
            "role_arn": self.venue.role_arn,
            "differences": len(self.differences),
            "checks": [check.document() for check in self.checks],
        }

    def lines(self) -> Iterator[str]:
        """A line for each check."""
        return (check.line() for check in self.checks)

    def conclude(self) -> None:
        """Say nothing where everything that could be told is as it should be.

        :raises DifferenceFound: something is not.
        """
        if self.differences:
            raise DifferenceFound(
                f"{self.venue.name}: {len(self.differences)} of {len(self.checks)} checks differ",
                hint=f"ask who changed it; what would be put right: invoke provision --venue {self.venue.name} --check",
            )
