"""Where a venue's external ID stands: decided from what AWS holds, with nothing remembered.

Current and Pending are the trust policy's, P is the parameter's. At every moment that can be seen, the trust policy
accepts what P holds.

    Current  Pending   P        stage
    S        -         S        STABLE
    S        N         S        ANNOUNCED     the trust policy accepts N too
    S        N         N        PUBLISHED     issue-token uses N
    S        any       none     PARAMETER_LOST
    anything else               BROKEN
"""

from __future__ import annotations

import enum
import secrets
from dataclasses import dataclass

from venue_access.errors import UsageError
from venue_access.inventory.model import Venue
from venue_access.policies.compare import trusts_only_deleted
from venue_access.policies.documents import CURRENT, PENDING, ExternalIds
from venue_access.provisioning.venue_snapshot import VenueSnapshot
from venue_access.sensitive import ExternalId


class Stage(enum.Enum):
    """A row of the table above."""

    ABSENT = "not provisioned"
    STABLE = "stable"
    ANNOUNCED = "announced"
    PUBLISHED = "published"
    PARAMETER_LOST = "parameter lost"
    BROKEN = "broken"

    @property
    def rotating(self) -> bool:
        """Whether a rotation is under way."""
        return self in (Stage.ANNOUNCED, Stage.PUBLISHED)


@dataclass(frozen=True)
class Standing:
    """A stage and the IDs in it."""

    stage: Stage
    ids: ExternalIds | None = None
    """None where there is no usable one: ABSENT and BROKEN."""
    reason: str = ""
    """For BROKEN, and for ABSENT where something is left: what is there, without an ID."""


def standing(live: VenueSnapshot) -> Standing:
    """Where a venue stands."""
    if live.role is None:
        left = "its role is missing, though its SSM parameter is there"
        return Standing(Stage.ABSENT, reason=left if live.parameter is not None else "")
    accepted, published = live.accepted, live.published
    if trusts_only_deleted(live.role.trust_policy):
        return _broken("the trust policy trusts somebody who was deleted (an ID such as AROA... is what is left)")
    if any(not ids for ids in accepted.values()):
        return _broken("the trust policy lets the role be assumed without an external ID")
    if set(accepted) - {CURRENT, PENDING} or any(len(ids) != 1 for ids in accepted.values()):
        return _broken("the trust policy was not written by this kit, or was edited by hand")
    if CURRENT not in accepted:
        return _broken("the trust policy has no statement Current")
    current = accepted[CURRENT][0]
    pending = accepted[PENDING][0] if PENDING in accepted else None
    ids = ExternalIds(current, pending)
    if published is None:
        return Standing(Stage.PARAMETER_LOST, ids)
    if published == pending:
        return Standing(Stage.PUBLISHED, ids)
    if published == current:
        return Standing(Stage.STABLE if pending is None else Stage.ANNOUNCED, ids)
    return _broken("the trust policy does not accept what the parameter holds")


def ids_for_provisioning(venue: Venue, live: VenueSnapshot) -> ExternalIds:
    """The external IDs that provisioning keeps: live ones wherever there are any, otherwise a new one.

    A role made by hand keeps the ID that the parameter holds, or the only one that its trust policy accepts; one that
    had no guard gets the parameter's, or a new one.

    :raises UsageError: which ID is in use cannot be told, or the parameter and the role disagree.
    """
    stands = standing(live)
    if stands.ids is not None:
        return stands.ids
    published = live.published
    accepted = {each for ids in live.accepted.values() for each in ids}
    if published is not None and (not accepted or published in accepted):
        return ExternalIds(published)
    if published is not None:
        raise UsageError(
            f"{venue.name}: {stands.reason or 'the role does not accept what the parameter holds'}",
            hint=f"make a new one with: invoke rotate-external-id --venue {venue.name} --repair",
        )
    if len(accepted) > 1:
        raise UsageError(
            f"{venue.name}: the role accepts {len(accepted)} external IDs and no parameter says which is in use",
            hint=f"put it into the SSM parameter {venue.external_id_parameter}, or use rotate-external-id --repair",
        )
    return ExternalIds(accepted.pop()) if accepted else ExternalIds(new_external_id())


def is_importable(live: VenueSnapshot) -> bool:
    """Whether provisioning would keep an ID of a BROKEN venue: see ``ids_for_provisioning``."""
    accepted = {each for ids in live.accepted.values() for each in ids}
    if live.published is None:
        return len(accepted) == 1
    return not accepted or live.published in accepted


def new_external_id() -> ExternalId:
    """An external ID that nobody can guess: 240 bits, in 43 characters that every shell takes unquoted."""
    return ExternalId("va." + secrets.token_urlsafe(30))


def _broken(reason: str) -> Standing:
    return Standing(Stage.BROKEN, reason=reason)
