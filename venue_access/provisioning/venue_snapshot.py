"""The snapshot of a venue: its role and its external-ID parameter, read from AWS and never remembered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from venue_access.aws.client import AwsClient, LiveRole, Parameter
from venue_access.inventory.model import Venue
from venue_access.policies.compare import external_ids_in
from venue_access.sensitive import ExternalId


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
    def every_id(self) -> tuple[ExternalId, ...]:
        """Return each ID that is accepted or stored, to be redacted."""
        stored = () if self.stored is None else (self.stored,)
        return (*(each for ids in self.accepted.values() for each in ids), *stored)

    def has_same_ids(self, other: VenueSnapshot) -> bool:
        """Return whether no ID differs between two snapshots of a venue."""
        return self.accepted == other.accepted and self.stored == other.stored


def read_snapshot(aws: AwsClient, venue: Venue) -> VenueSnapshot:
    """Read a venue's role and parameter: two calls."""
    return VenueSnapshot(aws.role(venue.role_name), aws.parameter(venue.external_id_parameter))
