"""What a verification found: a line for each thing that was looked at or tried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from venue_access.errors import CheckFailed
from venue_access.inventory.model import Venue


@dataclass(frozen=True)
class Check:
    """One thing that was looked at or tried; never an external ID."""

    tried: str
    expected: str
    found: str
    holds: bool | None
    """None: it could not be told."""
    skipped: bool = False
    """Whether there was nothing to try: what the token is to be kept from does not exist."""

    @property
    def result(self) -> str:
        """``ok``, ``differs``, ``unclear`` or ``skipped``."""
        return "skipped" if self.skipped else {True: "ok", False: "differs", None: "unclear"}[self.holds]

    def line(self) -> str:
        """What was tried, what was expected, what came back."""
        mark = self.result.replace("differs", "DIFFERS")
        return f"{mark:<8} {self.tried}: expected {self.expected}, found {self.found}"

    def document(self) -> dict[str, Any]:
        """Its part of the ``--json`` document."""
        found = {"tried": self.tried, "expected": self.expected, "found": self.found, "holds": self.holds}
        return {**found, "result": self.result}


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
    def counts(self) -> Mapping[str, int]:
        """How many checks there are of each result."""
        return Counter(check.result for check in self.checks)

    def document(self) -> dict[str, Any]:
        """The ``--json`` document."""
        return {
            "venue": self.venue.name,
            "role_arn": self.venue.role_arn,
            "differences": self.counts["differs"],
            "unclear": self.counts["unclear"],
            "checks": [check.document() for check in self.checks],
        }

    def lines(self) -> Iterator[str]:
        """Return a line for each check, and a summary as the last line."""
        yield from (check.line() for check in self.checks)
        yield self._summary()

    def conclude(self) -> None:
        """Return if every check is ok.

        :raises CheckFailed: a check differs, or its result is unclear.
        """
        total, differing, unclear = len(self.checks), self.counts["differs"], self.counts["unclear"]
        if differing:
            also = f", {unclear} unclear" if unclear else ""
            raise CheckFailed(
                f"{self.venue.name}: {differing} of {total} checks differ{also}",
                hint=f"ask who changed it; what would be put right: invoke provision --venue {self.venue.name} --check",
            )
        if unclear:
            raise CheckFailed(
                f"{self.venue.name}: nothing differs, but {unclear} of {total} checks {_are(unclear)} unclear",
                hint="each unclear line names the reason; run verify again when it no longer applies",
            )

    def _summary(self) -> str:
        total, counts = len(self.checks), self.counts
        differing = f"{counts['differs']} {'differs' if counts['differs'] == 1 else 'differ'}"
        skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
        told = f"{counts['ok']} ok, {differing}, {counts['unclear']} unclear{skipped}"
        return f"{self.venue.name}: {total} check{'' if total == 1 else 's'}: {told}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
