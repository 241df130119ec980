"""What is asked of a rotation, and what it came to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from venue_access.errors import DeliveryError, UsageError, VenueAccessError
from venue_access.inventory.model import Venue
from venue_access.ledger.book import Ledger
from venue_access.ledger.record import Kind
from venue_access.provisioning.rotation_state import Stage
from venue_access.times import iso, to_minute


@dataclass(frozen=True)
class RotationOptions:
    """How to rotate.

    :raises UsageError: two of these exclude each other.
    """

    grace: timedelta | None = None
    """Stop after the new ID is published, and let both be accepted so long; until then only ``finish`` ends it."""
    finish: bool = False
    """Complete a rotation that is under way, without beginning another."""
    repair: bool = False
    """Make a new ID and a stable state from whatever is there."""
    skip_verification: bool = False
    """Go on where this caller cannot prove that an ID works."""
    lock_timeout: float | None = None
    """Seconds to wait for another run on the stack; None for what is usual."""

    def __post_init__(self) -> None:
        if self.finish and (self.grace is not None or self.repair):
            raise UsageError(f"--finish and {'--repair' if self.repair else '--grace'} exclude each other")

    @property
    def action(self) -> str:
        """What is done to the external ID, as a verb."""
        return "repair" if self.repair else "complete a rotation of" if self.finish else "rotate"


@dataclass(frozen=True)
class Rotation:
    """What a rotation came to; never an ID."""

    venue: Venue
    began: Stage
    ended: Stage
    steps: tuple[str, ...]
    rotated: bool
    """Whether this run brought a new ID into use, or took an old one out of it."""
    until: datetime | None = None
    """When the grace period ends, where one is under way; UTC."""

    def line(self) -> str:
        """What it came to, in a line."""
        name = self.venue.name
        if self.ended is Stage.PUBLISHED:
            grace = "" if self.until is None else f" (grace period until {to_minute(self.until)})"
            finish = f"take it out of use with: invoke rotate-external-id --venue {name} --finish"
            return f"{name}: the new external ID is in use; the old one is still accepted{grace}; {finish}"
        return f"{name}: the external ID was rotated" if self.rotated else f"{name}: no rotation is under way"

    def document(self) -> dict[str, Any]:
        """The ``--json`` document."""
        return {
            "venue": self.venue.name,
            "began": self.began.value,
            "ended": self.ended.value,
            "steps": list(self.steps),
            "complete": self.ended is Stage.STABLE,
            "grace_until": None if self.until is None else iso(self.until),
        }


def record_rotation(ledger: Ledger, stage: Stage, *, changed: bool) -> None:
    """Record where a rotation ended, if it changed anything.

    :raises DeliveryError: it cannot be recorded.
    """
    if not changed:
        return
    try:
        ledger.record(Kind.ROTATION, stage=stage.value)
    except VenueAccessError as error:
        raise DeliveryError(
            f"the rotation is '{stage.value}', which could not be recorded in the ledger: {error.message}",
            hint=error.hint,
        ) from error
