"""What became of a venue in a run, as Ansible tells it: a recap line, a document, an exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from venue_access.errors import (
    AwsError,
    CheckFailed,
    ConnectionFailed,
    CredentialsError,
    Interrupted,
    TerraformError,
    VenueAccessError,
)
from venue_access.inventory.model import Venue, names_of

T = TypeVar("T")


@dataclass(frozen=True)
class Outcome:
    """One venue's part in a run; the counts are of resources."""

    venue: Venue
    in_place: int = 0
    add: int = 0
    change: int = 0
    destroy: int = 0
    imported: int = 0
    proofs: int = 0
    skipped: int = 0
    error: VenueAccessError | None = None
    differences: tuple[str, ...] = ()
    """What the plan changes, attribute by attribute, where that was asked for; nothing confidential."""

    @property
    def changed(self) -> int:
        return self.add + self.change + self.destroy

    @property
    def unreachable(self) -> bool:
        return isinstance(self.error, (CredentialsError, ConnectionFailed))

    @property
    def failed(self) -> bool:
        return self.error is not None and not self.unreachable

    def document(self) -> dict[str, Any]:
        """The venue's part of the ``--json`` document."""
        return {
            "stack": self.venue.stack,
            "changed": self.changed > 0,
            "add": self.add,
            "change": self.change,
            "destroy": self.destroy,
            "failed": self.failed,
            "unreachable": self.unreachable,
            "error": None if self.error is None else str(self.error),
            "role_arn": self.venue.role_arn,
            "external_id_parameter": self.venue.external_id_parameter,
        }


@dataclass
class VenueResult:
    """What is counted of one venue while a run is under way."""

    venue: Venue
    in_place: set[str] = field(default_factory=set)
    """Addresses."""
    counts: Counter[str] = field(default_factory=Counter)
    """Resources by action: ``create``, ``update``, ``delete``, ``import``."""
    proofs: int = 0
    skipped: int = 0
    error: VenueAccessError | None = None
    differences: list[str] = field(default_factory=list)

    def outcome(self) -> Outcome:
        return Outcome(
            self.venue,
            in_place=len(self.in_place),
            add=self.counts["create"],
            change=self.counts["update"],
            destroy=self.counts["delete"],
            imported=self.counts["import"],
            proofs=self.proofs,
            skipped=self.skipped,
            error=self.error,
            differences=tuple(self.differences),
        )


class RunResult(Mapping[str, VenueResult]):
    """The venues of one stack in a run, by name: what was done to each, and which have failed."""

    def __init__(self, venues: Iterable[Venue]) -> None:
        self._tallies = {venue.name: VenueResult(venue) for venue in venues}

    def __getitem__(self, name: str) -> VenueResult:
        return self._tallies[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tallies)

    def __len__(self) -> int:
        return len(self._tallies)

    def active(self) -> tuple[Venue, ...]:
        """The venues that have not failed."""
        return tuple(tally.venue for tally in self.values() if tally.error is None)

    def each(self, step: Callable[[Venue], T], *, at_once: int = 1) -> dict[str, T]:
        """What ``step`` gives for each venue that has not failed; one for which it raises has.

        :param at_once: for how many venues side by side; the step must bear that.
        :raises CredentialsError, ConnectionFailed: as ``step`` did: the account is every venue's.
        """
        active = self.active()
        given = {}
        with ThreadPoolExecutor(min(at_once, len(active))) if min(at_once, len(active)) > 1 else nullcontext() as pool:
            begun = [(venue, pool.submit(step, venue).result if pool else partial(step, venue)) for venue in active]
            for venue, result in begun:
                try:
                    given[venue.name] = result()
                except (CredentialsError, ConnectionFailed):
                    raise
                except VenueAccessError as error:
                    self[venue.name].error = error
        return given

    @contextmanager
    def record_errors(self) -> Iterator[None]:
        """Lay an error upon the venues it is about, which for most errors is all that have not failed."""
        try:
            yield
        except VenueAccessError as error:
            about = error.venues if isinstance(error, TerraformError) else frozenset()
            for venue in self.active():
                if not about or venue.name in about:
                    self[venue.name].error = error

    def outcomes(self) -> list[Outcome]:
        return [tally.outcome() for tally in self.values()]


def error_messages(errors: Sequence[tuple[Venue, VenueAccessError | None]]) -> list[str]:
    """Each error once, with the venues it is about where there are others and it does not say so itself.

    :param errors: of every venue of the run.
    """
    about: dict[str, list[Venue]] = {}
    for venue, error in errors:
        if error is not None:
            about.setdefault(str(error), []).append(venue)
    return [
        told
        if len(venues) == len(errors) or any(_names(told, each) for each in venues)
        else f"{names_of(venues)}: {told}"
        for told, venues in about.items()
    ]


def _names(told: str, venue: Venue) -> bool:
    return venue.name in told or told.startswith((f"{venue.stack}: ", f"stack {venue.stack}: "))


def recap(outcomes: Sequence[Outcome]) -> list[str]:
    """Ansible's recap, a line a venue; ``ok`` counts resources in place and proofs that held."""
    width = max((len(outcome.venue.name) for outcome in outcomes), default=0)
    return [
        f"{outcome.venue.name:<{width}} : ok={outcome.in_place + outcome.proofs} changed={outcome.changed}"
        f" unreachable={int(outcome.unreachable)} failed={int(outcome.failed)} skipped={outcome.skipped}"
        " rescued=0 ignored=0"
        for outcome in outcomes
    ]


def plan_summary(outcomes: Sequence[Outcome]) -> list[str]:
    """Return what the plans of ``--check`` would do, in Terraform's words: a line a venue, and the total of several.

    A venue without a plan, as its error says, has no line.
    """
    planned = [outcome for outcome in outcomes if outcome.error is None or outcome.changed]
    lines = [f"{outcome.venue.name}: {_planned([outcome])}" for outcome in planned]
    if len(outcomes) > 1:
        missing = len(outcomes) - len(planned)
        lines.append(f"total: {_planned(planned)}{f'; {missing} without a plan' if missing else ''}")
    return lines


def _planned(outcomes: Sequence[Outcome]) -> str:
    imported = sum(outcome.imported for outcome in outcomes)
    parts = [f"{imported} to import"] if imported else []
    parts.append(f"{sum(outcome.add for outcome in outcomes)} to add")
    parts.append(f"{sum(outcome.change for outcome in outcomes)} to change")
    return ", ".join([*parts, f"{sum(outcome.destroy for outcome in outcomes)} to destroy"])


def drift_lines(outcomes: Sequence[Outcome]) -> list[str]:
    """A table of which venues are as the inventory says, and what differs in the others."""
    width = max((len(outcome.venue.name) for outcome in outcomes), default=0)
    lines = []
    for outcome in outcomes:
        stands = "differs" if outcome.changed else "in sync"
        if outcome.error is not None:
            stands = f"unknown: {outcome.error.message}"
        lines.append(f"{outcome.venue.name:<{width}}  {stands}")
        lines += [f"    {line}" for line in outcome.differences]
    return lines


def drift_document(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The same as one document."""
    return {
        "venues": {
            outcome.venue.name: {
                "in_sync": None if outcome.error is not None else not outcome.changed,
                "differences": list(outcome.differences),
                "error": None if outcome.error is None else str(outcome.error),
            }
            for outcome in outcomes
        }
    }


def exit_code(outcomes: Sequence[Outcome], *, fail_on_change: bool = False) -> int:
    """The exit code of a run: 130 after Ctrl-C, the first of 4, 5 and 7 that occurred, else what went wrong first."""
    codes = [outcome.error.exit_code for outcome in outcomes if outcome.error is not None]
    if fail_on_change and any(outcome.changed for outcome in outcomes):
        codes.append(CheckFailed.exit_code)
    for code in (Interrupted.exit_code, TerraformError.exit_code, AwsError.exit_code, CheckFailed.exit_code):
        if code in codes:
            return code
    return codes[0] if codes else 0
