"""The snapshot of a venue, read from AWS and never remembered, and the state of its rotation, decided from that.

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
from dataclasses import dataclass
from datetime import datetime

from venue_access.aws.client import AwsClient, LiveRole, Parameter
from venue_access.errors import UsageError
from venue_access.inventory.model import Venue
from venue_access.policies.compare import external_ids_in, trusts_only_deleted
from venue_access.policies.documents import CURRENT, PENDING, ExternalIds
from venue_access.sensitive import ExternalId
from venue_access.times import parse_iso

GRACE_TAG = "venue-access:grace-until"


@dataclass(frozen=True)
class VenueSnapshot:
    """A venue's role and its external-ID parameter as they are now; None for what does not exist."""

    role: LiveRole | None
    parameter: Parameter | None

    @property
    def stored(self) -> ExternalId | None:
        """Return the parameter's external ID, which ``issue-token`` uses."""
        return None if self.parameter is None else self.parameter.value

    @property
    def accepted(self) -> Mapping[str, tuple[ExternalId, ...]]:
        """Return the IDs that the trust policy accepts, by the Sid of their statement (``""`` without one)."""
        return {} if self.role is None else external_ids_in(self.role.trust_policy)

    @property
    def accepted_ids(self) -> frozenset[ExternalId]:
        """Return each ID that the trust policy accepts."""
        return frozenset(each for ids in self.accepted.values() for each in ids)

    @property
    def every_id(self) -> frozenset[ExternalId]:
        """Return each ID that is accepted or stored, to be redacted."""
        return self.accepted_ids if self.stored is None else self.accepted_ids | {self.stored}

    def has_same_ids(self, other: VenueSnapshot) -> bool:
        """Return whether no ID differs between two snapshots of a venue."""
        return self.accepted == other.accepted and self.stored == other.stored


def read_snapshot(aws: AwsClient, venue: Venue) -> VenueSnapshot:
    """Read a venue's role and parameter: two calls."""
    return VenueSnapshot(aws.role(venue.role_name), aws.parameter(venue.external_id_parameter))


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
    current, pending = (next(iter(accepted.get(sid, ())), None) for sid in (CURRENT, PENDING))
    reason = "the trust policy does not accept the parameter's external ID"
    if trusts_only_deleted(snapshot.role.trust_policy):
        reason = "the trust policy trusts a deleted principal (IAM shows an ID such as AROA... instead)"
    elif any(not ids for ids in accepted.values()):
        reason = "the trust policy lets the role be assumed without an external ID"
    elif set(accepted) - {CURRENT, PENDING} or any(len(ids) != 1 for ids in accepted.values()):
        reason = "the trust policy was not written by this kit, or was edited by hand"
    elif current is None:
        reason = "the trust policy has no statement Current"
    elif stored is None:
        return RotationState(Stage.PARAMETER_LOST, ExternalIds(current, pending))
    elif stored == pending:
        return RotationState(Stage.PROMOTED, ExternalIds(current, pending))
    elif stored == current:
        return RotationState(Stage.STABLE if pending is None else Stage.PENDING, ExternalIds(current, pending))
    return RotationState(Stage.BROKEN, reason=reason)


def ids_for_provisioning(snapshots: Mapping[str, VenueSnapshot], venue: Venue) -> ExternalIds:
    """Return the external IDs that provisioning writes: the live ones if there are any, otherwise a new one.

    A role made by hand keeps the parameter's ID, or the only one that its trust policy accepts; one without an
    external-ID condition gets the parameter's, or a new one.

    :raises UsageError: it is not clear which ID is in use, or the trust policy does not accept the parameter's.
    """
    snapshot = snapshots[venue.name]
    state, stored, accepted = rotation_state(snapshot), snapshot.stored, snapshot.accepted_ids
    if state.ids is not None:
        return state.ids
    if is_importable(snapshot):
        return ExternalIds(next(iter(accepted)) if stored is None else stored)
    if stored is not None:
        raise UsageError(
            f"{venue.name}: {state.reason or 'the trust policy does not accept the external ID of the parameter'}",
            hint=f"create a new one with: invoke rotate-external-id --venue {venue.name} --repair",
        )
    if accepted:
        raise UsageError(
            f"{venue.name}: the role accepts {len(accepted)} external IDs, and no parameter has the one in use",
            hint=f"store it in the SSM parameter {venue.external_id_parameter}, or use rotate-external-id --repair",
        )
    return ExternalIds(new_external_id())


def is_importable(snapshot: VenueSnapshot) -> bool:
    """Return whether provisioning would keep an ID of a BROKEN venue, as ``ids_for_provisioning`` says."""
    accepted = snapshot.accepted_ids
    return len(accepted) == 1 if snapshot.stored is None else not accepted or snapshot.stored in accepted


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
