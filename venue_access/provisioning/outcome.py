"""What became of a venue in a run, as Ansible tells it: a recap line, a document, an exit code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from venue_access.errors import AwsError, DifferenceFound, Stopped, TerraformError, Unreachable, VenueAccessError
from venue_access.inventory.model import Venue


@dataclass(frozen=True)
class Outcome:
    """One venue's part in a run; the counts are of resources."""

    venue: Venue
    in_place: int = 0
    add: int = 0
    change: int = 0
    destroy: int = 0
    proofs: int = 0
    skipped: int = 0
    error: VenueAccessError | None = None

    @property
    def changed(self) -> int:
        return self.add + self.change + self.destroy

    @property
    def unreachable(self) -> bool:
        return isinstance(self.error, Unreachable)

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


def recap(outcomes: Sequence[Outcome]) -> list[str]:
    """Ansible's recap, a line a venue; ``ok`` counts resources in place and proofs that held."""
    width = max((len(outcome.venue.name) for outcome in outcomes), default=0)
    return [
        f"{outcome.venue.name:<{width}} : ok={outcome.in_place + outcome.proofs} changed={outcome.changed}"
        f" unreachable={int(outcome.unreachable)} failed={int(outcome.failed)} skipped={outcome.skipped}"
        " rescued=0 ignored=0"
        for outcome in outcomes
    ]


def exit_code(outcomes: Sequence[Outcome], *, fail_on_change: bool = False) -> int:
    """The exit code of a run: 130 after Ctrl-C, the first of 4, 5 and 7 that occurred, else what went wrong first."""
    codes = [outcome.error.exit_code for outcome in outcomes if outcome.error is not None]
    if fail_on_change and any(outcome.changed for outcome in outcomes):
        codes.append(DifferenceFound.exit_code)
    for code in (Stopped.exit_code, TerraformError.exit_code, AwsError.exit_code, DifferenceFound.exit_code):
        if code in codes:
            return code
    return codes[0] if codes else 0
