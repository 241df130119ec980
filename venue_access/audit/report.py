"""The checks of a verification: compare policies by statement, and report the results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from venue_access.errors import CheckFailed
from venue_access.inventory.model import Venue
from venue_access.policies.compare import Elements, elements
from venue_access.policies.documents import Policy, listed

_SAME = "the inventory's"


@dataclass(frozen=True)
class Check:
    """One comparison or probe with its result; it never contains an external ID."""

    tried: str
    expected: str
    found: str
    holds: bool | None
    """None if the result is unclear."""
    skipped: bool = False
    """Whether the resource to probe does not exist."""

    @property
    def result(self) -> str:
        """Return ``ok``, ``differs``, ``unclear`` or ``skipped``."""
        return "skipped" if self.skipped else {True: "ok", False: "differs", None: "unclear"}[self.holds]

    def line(self) -> str:
        """Return the line of the report."""
        mark = self.result.replace("differs", "DIFFERS")
        return f"{mark:<8} {self.tried}: expected {self.expected}, found {self.found}"

    def document(self) -> dict[str, Any]:
        """Return the check as JSON."""
        found = {"tried": self.tried, "expected": self.expected, "found": self.found, "holds": self.holds}
        return {**found, "result": self.result}


def compared(tried: str, expected: str, found: str) -> Check:
    """Return the check of a plain value."""
    return Check(tried, expected, found, expected == found)


@dataclass(frozen=True)
class Report:
    """The results of verifying a venue."""

    venue: Venue
    checks: tuple[Check, ...]
    advice: str | None = None
    """A recommendation that is not a difference."""

    @property
    def counts(self) -> Mapping[str, int]:
        """Return the number of checks by result."""
        return Counter(check.result for check in self.checks)

    def document(self) -> dict[str, Any]:
        """Return the ``--json`` document."""
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
        """Raise ``CheckFailed`` if a check differs or is unclear."""
        total, differing, unclear = len(self.checks), self.counts["differs"], self.counts["unclear"]
        if differing:
            also = f", {unclear} unclear" if unclear else ""
            raise CheckFailed(
                f"{self.venue.name}: {differing} of {total} checks differ{also}",
                hint=f"find out who changed it; for the correction: invoke provision --venue {self.venue.name} --check",
            )
        if unclear:
            verb = "is" if unclear == 1 else "are"
            raise CheckFailed(
                f"{self.venue.name}: nothing differs, but {unclear} of {total} checks {verb} unclear",
                hint="each unclear line names the reason; run verify again when it no longer applies",
            )

    def _summary(self) -> str:
        total, counts = len(self.checks), self.counts
        differing = f"{counts['differs']} {'differs' if counts['differs'] == 1 else 'differ'}"
        skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
        summary = f"{counts['ok']} ok, {differing}, {counts['unclear']} unclear{skipped}"
        return f"{self.venue.name}: {total} check{'' if total == 1 else 's'}: {summary}"


def compare_policies(
    what: str, expected: Policy, live: Mapping[str, Any], *, sids_matter: bool = False
) -> Iterator[Check]:
    """Yield a check for each statement of either policy, and one if the policy version differs.

    :param what: the policy's name in the report.
    :param sids_matter: whether statements with different Sids are different statements.
    """
    version = live.get("Version", "2008-10-17")
    if version != expected["Version"]:
        yield Check(f"{what}, Version", expected["Version"], str(version), False)
    wanted = [(str(each.get("Sid", "")), elements(each)) for each in expected["Statement"]]
    there = [(str(each.get("Sid", "")), elements(each)) for each in listed(live.get("Statement"))]
    for sid, parts in _equal_first(wanted, there, sids_matter):
        match = _take(there, sid, parts, sids_matter)
        name = f"{what}, statement {sid}"
        if match is None:
            yield Check(name, _SAME, "none", False)
        elif match == parts:
            yield Check(name, _SAME, _SAME, True)
        else:
            yield Check(name, _SAME, _difference(parts, match), False)
    for sid, parts in there:
        yield Check(f"{what}, statement {sid or 'without a Sid'}", "none", _summary(parts), False)


def _equal_first(
    wanted: list[tuple[str, Elements]], there: list[tuple[str, Elements]], sids_matter: bool
) -> list[tuple[str, Elements]]:
    """Return the statements that have an equal live one first, so that no other takes it by its Sid."""
    return sorted(wanted, key=lambda each: not any(_equal(each, other, sids_matter) for other in there))


def _equal(one: tuple[str, Elements], other: tuple[str, Elements], sids_matter: bool) -> bool:
    return one[1] == other[1] and (one[0] == other[0] or not sids_matter)


def _take(there: list[tuple[str, Elements]], sid: str, parts: Elements, sids_matter: bool) -> Elements | None:
    """Remove and return the live statement that corresponds to this one: an equal one, or the one with its Sid."""
    equal = [each for each in there if _equal((sid, parts), each, sids_matter)]
    for found in (*equal, *(each for each in there if each[0] == sid)):
        there.remove(found)
        return found[1]
    return None


def _difference(expected: Elements, live: Elements) -> str:
    parts = []
    for element in sorted({*expected, *live}):
        wanted, there = expected.get(element, frozenset()), live.get(element, frozenset())
        if more := sorted(there - wanted):
            parts.append(f"{element} also has {'; '.join(more)}")
        if fewer := sorted(wanted - there):
            parts.append(f"{element} lacks {'; '.join(fewer)}")
    return ", ".join(parts)


def _summary(parts: Elements) -> str:
    return ", ".join(f"{element} {'; '.join(sorted(texts))}" for element, texts in parts.items())
