"""How venues stand: provisioned or not, how old their external ID is, whether a rotation is under way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from venue_access.aws.client import AwsClient
from venue_access.aws.identity import caller_in_account
from venue_access.aws.parameters import secure_string_steps
from venue_access.aws.types import SECURE_STRING
from venue_access.errors import VenueAccessError
from venue_access.inventory.model import Venue
from venue_access.ledger.record import Record
from venue_access.provisioning.grace import grace_until
from venue_access.provisioning.holders import Holders, holders, read_history
from venue_access.provisioning.rotation_state import Stage, standing
from venue_access.provisioning.venue_snapshot import read_snapshot
from venue_access.times import iso, to_minute

_THREADS = 16


@dataclass(frozen=True)
class VenueStatus:
    """One venue's standing in AWS; never an ID."""

    venue: Venue
    stage: Stage | None
    reason: str = ""
    external_id_age: timedelta | None = None
    role_maximum: int | None = None
    """Seconds."""
    holders: Holders = field(default_factory=Holders)
    """Who was handed an external ID that has been replaced since, as far as the ledger shows."""
    parameter_type: str | None = None
    grace_until: datetime | None = None
    """When the grace period of a rotation ends, where one is under way; UTC."""
    error: VenueAccessError | None = None

    @property
    def advice(self) -> str | None:
        """How to encrypt the external ID where it is not; None where there is nothing to advise."""
        return secure_string_steps(self.venue) if self.parameter_type not in (None, SECURE_STRING) else None

    def document(self) -> dict[str, Any]:
        """The venue's part of the ``--json`` document."""
        return {
            "provisioned": None if self.stage is None else self.stage is not Stage.ABSENT,
            "external_id": None if self.stage is None else self.stage.value,
            "rotating": self.stage is not None and self.stage.rotating,
            "grace_until": None if self.grace_until is None else iso(self.grace_until),
            "external_id_age_seconds": None
            if self.external_id_age is None
            else int(self.external_id_age.total_seconds()),
            "external_id_parameter_type": self.parameter_type,
            "outdated_external_id": list(self.holders.outdated),
            "unknown_external_id": list(self.holders.unknown),
            "max_session_duration": self.role_maximum,
            "role_arn": self.venue.role_arn,
            "error": None if self.error is None else str(self.error),
        }

    def line(self) -> str:
        """One line of the table."""
        return f"{self.venue.name}: {self._told()}"

    def _grace(self) -> str:
        return "" if self.grace_until is None else f" (grace period until {to_minute(self.grace_until)})"

    def _told(self) -> str:
        if self.error is not None:
            return f"unknown: {self.error.message}"
        if self.stage is None or self.stage is Stage.ABSENT:
            return (
                f"not provisioned: {self.reason}: invoke provision makes it anew" if self.reason else "not provisioned"
            )
        age = "" if self.external_id_age is None else f", external ID {_age(self.external_id_age)} old"
        how = {
            Stage.STABLE: "",
            Stage.ANNOUNCED: "; rotation under way: announced, the old one is in use",
            Stage.PUBLISHED: "; rotation under way: published, the old one is still accepted" + self._grace(),
            Stage.PARAMETER_LOST: "; its SSM parameter is missing: invoke provision restores it",
            Stage.BROKEN: f"; broken: {self.reason}",
        }[self.stage]
        plain = "" if self.advice is None else f"; its SSM parameter is a {self.parameter_type}"
        return f"provisioned{age}, tokens for up to {self.role_maximum} s{how}{plain}{self.holders.described()}"


def venue_statuses(
    reach: Callable[[Venue], AwsClient], venues: Sequence[Venue], now: datetime, records: Sequence[Record] = ()
) -> list[VenueStatus]:
    """How venues stand now, in their order; an account that cannot be reached is the ``error`` of its venues.

    :param reach: the way to a venue's account.
    :param now: with a time zone.
    :param records: of the venues' ledgers: whom external IDs were handed to.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(lambda venue: _status(reach, venue, now, records), venues))


def _status(reach: Callable[[Venue], AwsClient], venue: Venue, now: datetime, records: Sequence[Record]) -> VenueStatus:
    try:
        aws = reach(venue)
        live = read_snapshot(aws, venue)
        if live.role is None:
            caller_in_account(aws, venue)  # in another account everything seems not to exist
    except VenueAccessError as error:
        return VenueStatus(venue, None, error=error)
    stands = standing(live)
    return VenueStatus(
        venue,
        stands.stage,
        stands.reason,
        external_id_age=None if live.parameter is None else max(now - live.parameter.modified, timedelta()),
        role_maximum=None if live.role is None else live.role.max_session_duration,
        parameter_type=None if live.parameter is None else live.parameter.type,
        grace_until=grace_until(live) if stands.stage is Stage.PUBLISHED else None,
        holders=Holders()
        if live.parameter is None
        else holders(records, venue, live.parameter, lambda: read_history(aws, venue)),
    )


def _age(age: timedelta) -> str:
    minutes = int(age.total_seconds()) // 60
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 60 * 48 else f"{minutes // 1440} days"
