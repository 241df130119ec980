"""The checks of a verification: compare policies by statement, and report the results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from venue_access.errors import CheckFailed
from venue_access.inventory.model import Venue
from venue_access.policies.compare import Elements, elements
from venue_access.policies.documents import Policy, statements_of

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
    def _counts(self) -> Mapping[str, int]:
        return Counter(check.result for check in self.checks)

    def document(self) -> dict[str, Any]:
        """Return the ``--json`` document."""
        return {
            "venue": self.venue.name,
            "role_arn": self.venue.role_arn,
            "differences": self._counts["differs"],
            "unclear": self._counts["unclear"],
            "checks": [check.document() for check in self.checks],
        }

    def lines(self) -> list[str]:
        """Return a line for each check, and a summary as the last line."""
        total, counts = len(self.checks), self._counts
        differing = f"{counts['differs']} {'differs' if counts['differs'] == 1 else 'differ'}"
        skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
        summary = f"{counts['ok']} ok, {differing}, {counts['unclear']} unclear{skipped}"
        checks = [check.line() for check in self.checks]
        return [*checks, f"{self.venue.name}: {total} check{'' if total == 1 else 's'}: {summary}"]

    def conclude(self) -> None:
        """Raise ``CheckFailed`` if a check differs or is unclear."""
        total, differing, unclear = len(self.checks), self._counts["differs"], self._counts["unclear"]
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

    def by_sid(policy: Mapping[str, Any]) -> list[tuple[str, Elements]]:
        return [(str(each.get("Sid", "")), elements(each)) for each in statements_of(policy)]

    def is_equal(one: tuple[str, Elements], another: tuple[str, Elements]) -> bool:
        return one[1] == another[1] and (one[0] == another[0] or not sids_matter)

    there = by_sid(live)
    # Statements with an equal live one come first, so that no other takes it by its Sid.
    for wanted in sorted(by_sid(expected), key=lambda each: not any(is_equal(each, other) for other in there)):
        sid, parts = wanted
        equal = [each for each in there if is_equal(wanted, each)]
        match = next(iter([*equal, *(each for each in there if each[0] == sid)]), None)
        if match is not None:
            there.remove(match)
        found = "none" if match is None else _SAME if match[1] == parts else _difference(parts, match[1])
        yield Check(f"{what}, statement {sid}", _SAME, found, found == _SAME)
    for sid, parts in there:
        summary = ", ".join(f"{element} {'; '.join(sorted(texts))}" for element, texts in parts.items())
        yield Check(f"{what}, statement {sid or 'without a Sid'}", "none", summary, False)


def _difference(expected: Elements, live: Elements) -> str:
    parts = []
    for element in sorted({*expected, *live}):
        wanted, there = expected.get(element, frozenset()), live.get(element, frozenset())
        if more := sorted(there - wanted):
            parts.append(f"{element} also has {'; '.join(more)}")
        if fewer := sorted(wanted - there):
            parts.append(f"{element} lacks {'; '.join(fewer)}")
    return ", ".join(parts)
