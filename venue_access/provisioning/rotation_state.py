"""The state of a venue's rotation, decided from its snapshot; and a rotation's options and result.

Current and Pending are the trust policy's statements, P is the parameter. At every moment the trust policy accepts P.

    Current  Pending  P        stage
    S        -        S        STABLE
    S        N        S        PENDING         the trust policy accepts N too
    S        N        N        PROMOTED        issue-token uses N
    S        any      none     PARAMETER_LOST
    anything else              BROKEN

The end of a grace period is a tag of the venue's role, so that every machine and operator sees it. Terraform ignores
the tag (``lifecycle`` in the module). It counts only in the stage PROMOTED; retiring the old ID removes it.
"""

from __future__ import annotations

import enum
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from venue_access.errors import UsageError
from venue_access.inventory.model import Venue
from venue_access.policies.compare import trusts_only_deleted
from venue_access.policies.documents import CURRENT, PENDING, ExternalIds
from venue_access.provisioning.venue_snapshot import VenueSnapshot
from venue_access.sensitive import ExternalId
from venue_access.times import iso, parse_iso, to_minute

GRACE_TAG = "venue-access:grace-until"


class Stage(enum.Enum):
    """A row of the table above."""

    ABSENT = "not provisioned"
    STABLE = "stable"
    PENDING = "pending"
    PROMOTED = "promoted"
    PARAMETER_LOST = "parameter lost"
    BROKEN = "broken"

    @property
    def rotating(self) -> bool:
        """Return whether a rotation is in progress."""
        return self in (Stage.PENDING, Stage.PROMOTED)


@dataclass(frozen=True)
class RotationState:
    """A stage and its external IDs."""

    stage: Stage
    ids: ExternalIds | None = None
    """None for ABSENT and BROKEN."""
    reason: str = ""
    """For BROKEN, and for ABSENT if something is left: what exists, without an ID."""


def rotation_state(snapshot: VenueSnapshot) -> RotationState:
    """Return the state of a venue's rotation."""
    if snapshot.role is None:
        left = "its role is missing, though its SSM parameter exists"
        return RotationState(Stage.ABSENT, reason=left if snapshot.parameter is not None else "")
    accepted, stored = snapshot.accepted, snapshot.stored
    if trusts_only_deleted(snapshot.role.trust_policy):
        return _broken("the trust policy trusts a deleted principal (IAM shows an ID such as AROA... instead)")
    if any(not ids for ids in accepted.values()):
        return _broken("the trust policy lets the role be assumed without an external ID")
    if set(accepted) - {CURRENT, PENDING} or any(len(ids) != 1 for ids in accepted.values()):
        return _broken("the trust policy was not written by this kit, or was edited by hand")
    if CURRENT not in accepted:
        return _broken("the trust policy has no statement Current")
    current = accepted[CURRENT][0]
    pending = accepted[PENDING][0] if PENDING in accepted else None
    ids = ExternalIds(current, pending)
    if stored is None:
        return RotationState(Stage.PARAMETER_LOST, ids)
    if stored == pending:
        return RotationState(Stage.PROMOTED, ids)
    if stored == current:
        return RotationState(Stage.STABLE if pending is None else Stage.PENDING, ids)
    return _broken("the trust policy does not accept the parameter's external ID")


def _broken(reason: str) -> RotationState:
    return RotationState(Stage.BROKEN, reason=reason)


def ids_for_provisioning(snapshots: Mapping[str, VenueSnapshot], venue: Venue) -> ExternalIds:
    """Return the external IDs that provisioning writes: the live ones if there are any, otherwise a new one.

    A role made by hand keeps the parameter's ID, or the only one that its trust policy accepts; one without an
    external-ID condition gets the parameter's, or a new one.

    :raises UsageError: it is not clear which ID is in use, or the trust policy does not accept the parameter's.
    """
    snapshot = snapshots[venue.name]
    state = rotation_state(snapshot)
    if state.ids is not None:
        return state.ids
    stored, accepted = snapshot.stored, _distinct(snapshot)
    if stored is not None and (not accepted or stored in accepted):
        return ExternalIds(stored)
    if stored is not None:
        raise UsageError(
            f"{venue.name}: {state.reason or 'the trust policy does not accept the external ID of the parameter'}",
            hint=f"create a new one with: invoke rotate-external-id --venue {venue.name} --repair",
        )
    if len(accepted) > 1:
        raise UsageError(
            f"{venue.name}: the role accepts {len(accepted)} external IDs, and no parameter has the one in use",
            hint=f"store it in the SSM parameter {venue.external_id_parameter}, or use rotate-external-id --repair",
        )
    return ExternalIds(accepted.pop() if accepted else new_external_id())


def is_importable(snapshot: VenueSnapshot) -> bool:
    """Return whether provisioning would keep an ID of a BROKEN venue, as ``ids_for_provisioning`` says."""
    accepted = _distinct(snapshot)
    if snapshot.stored is None:
        return len(accepted) == 1
    return not accepted or snapshot.stored in accepted


def _distinct(snapshot: VenueSnapshot) -> set[ExternalId]:
    return {each for ids in snapshot.accepted.values() for each in ids}


def check_rotatable(venue: Venue, snapshot: VenueSnapshot, *, repair: bool) -> None:
    """Check that a venue's external ID can be rotated.

    :raises UsageError: the venue is not provisioned, or is BROKEN and not to be repaired.
    """
    name, state = venue.name, rotation_state(snapshot)
    if state.stage is Stage.ABSENT:
        why = f": {state.reason}" if state.reason else ""
        raise UsageError(f"{name} is not provisioned{why}", hint=f"provision it with: invoke provision --venue {name}")
    if state.stage is Stage.BROKEN and not repair:
        remedy = f"create a new one with: invoke rotate-external-id --venue {name} --repair"
        keep = f"keep it with: invoke provision --venue {name}; or {remedy}"
        raise UsageError(
            f"{name}: its external ID cannot be rotated: {state.reason}",
            hint=keep if is_importable(snapshot) else remedy,
        )


def new_external_id() -> ExternalId:
    """Return a random external ID: 240 bits, in 43 characters that every shell takes unquoted."""
    return ExternalId("va." + secrets.token_urlsafe(30))


def grace_until(snapshot: VenueSnapshot) -> datetime | None:
    """Return when the grace period of a venue ends, in UTC; None if no end is set, or it was edited by hand."""
    text = None if snapshot.role is None else snapshot.role.tags.get(GRACE_TAG)
    try:
        return None if text is None else parse_iso(text)
    except ValueError:
        return None


@dataclass(frozen=True)
class RotationOptions:
    """How to rotate.

    :raises UsageError: two of these exclude each other.
    """

    grace: timedelta | None = None
    """Stop after the new ID is promoted, and accept both for this long; until then only ``finish`` ends it."""
    finish: bool = False
    """Complete a rotation that is in progress, and do not start one."""
    repair: bool = False
    """Create a new ID and a stable state from any state."""
    skip_verification: bool = False
    """Continue if this caller cannot verify that an ID works."""
    lock_timeout: float | None = None
    """Seconds to wait for another run on the stack; None for the default."""

    def __post_init__(self) -> None:
        if self.finish and (self.grace is not None or self.repair):
            raise UsageError(f"--finish and {'--repair' if self.repair else '--grace'} exclude each other")

    @property
    def action(self) -> str:
        """Return what is done to the external ID, as a verb."""
        return "repair" if self.repair else "complete a rotation of" if self.finish else "rotate"


@dataclass
class Rotation:
    """What a rotation did; never an ID."""

    venue: Venue
    began: Stage = Stage.ABSENT
    ended: Stage = Stage.ABSENT
    """The stage when the venue was last read."""
    steps: list[str] = field(default_factory=list)
    rotated: bool = False
    """Whether this run promoted a new ID, or retired an old one."""
    until: datetime | None = None
    """When the grace period ends, if one is in progress; UTC."""

    def line(self) -> str:
        """Return the result as a line."""
        name = self.venue.name
        if self.ended is Stage.PROMOTED:
            grace = "" if self.until is None else f" (grace period until {to_minute(self.until)})"
            finish = f"retire it with: invoke rotate-external-id --venue {name} --finish"
            return f"{name}: the new external ID is in use; the old one is still accepted{grace}; {finish}"
        return f"{name}: the external ID was rotated" if self.rotated else f"{name}: no rotation is in progress"

    def document(self) -> dict[str, Any]:
        """Return the ``--json`` document."""
        return {
            "venue": self.venue.name,
            "began": self.began.value,
            "ended": self.ended.value,
            "steps": list(self.steps),
            "complete": self.ended is Stage.STABLE,
            "grace_until": None if self.until is None else iso(self.until),
        }
