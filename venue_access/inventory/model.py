"""A venue, its recipients and what else an inventory declares, as frozen values."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from venue_access.errors import UsageError
from venue_access.inventory.arns import DNS_SUFFIXES, FROM_PARAMETER
from venue_access.inventory.recipients import Recipient, is_called, may_use
from venue_access.inventory.schema import Variables
from venue_access.inventory.suggestions import did_you_mean
from venue_access.inventory.value_types import EmulatorSeed, LedgerBucket, StateBackend

__all__ = [
    "EMULATOR_OPERATOR_ROLE",
    "BucketUses",
    "EmulatorSeed",
    "LedgerBucket",
    "Recipient",
    "StateBackend",
    "Venue",
    "emulator_operator_arn",
    "names_of",
]


@dataclass(frozen=True)
class BucketUses:
    """The uses of S3 buckets in an inventory, by partition or endpoint and bucket: see ``bucket_uses``."""

    role_prefixes: set[str] = field(default_factory=set)
    """Of all venues, as they are written in bucket names."""
    data: dict[tuple[Hashable, str], str] = field(default_factory=dict)
    """The data buckets that the inventory names, and a venue of each."""
    kept: dict[tuple[Hashable, str], str] = field(default_factory=dict)
    """The buckets of states and ledgers, and the use of each."""
    found: dict[tuple[Hashable, str], str] = field(default_factory=dict)
    """The data buckets that this run has read from SSM parameters, and the venue of each."""


@dataclass(frozen=True, kw_only=True)
class Venue(Variables):
    """A place that a project runs: a project and a venue name in one AWS account and region."""

    name: str
    """The inventory name, ``<project>-<venue>``."""
    bucket_uses: BucketUses = field(default_factory=BucketUses, repr=False, compare=False)
    """Of the whole inventory."""

    @property
    def endpoint_name(self) -> str | None:
        """Return the account's endpoint if it is not AWS: a URL, or a name for the emulator, whose port changes."""
        return "the AWS emulator" if self.emulator else self.aws_endpoint_url

    @property
    def account(self) -> tuple[str | None, ...]:
        """Return what identifies the account: the same number is another account at another endpoint."""
        return (self.partition, self.account_id, self.endpoint_name)

    @property
    def role_name(self) -> str:
        """The name of the role that tokens are sessions of."""
        return f"{self.role_prefix}-{self.project}-{self.venue}-sts"

    @property
    def role_arn(self) -> str:
        return f"arn:{self.partition}:iam::{self.account_id}:role{self.role_path}{self.role_name}"

    @property
    def external_id_parameter(self) -> str:
        """The SSM parameter that has the external ID that ``issue-token`` uses."""
        return f"/{self.role_prefix}/{self.project}/{self.venue}/cs/sts/role/external-id"

    @property
    def datastore_parameter(self) -> str:
        """The SSM parameter in which the platform has the name of the venue's data bucket."""
        return f"/{self.role_prefix}/{self.project}/{self.venue}/ds/datastore-bucket"

    @property
    def registry(self) -> str:
        """The host name of the account's ECR registry in the venue's region."""
        return f"{self.account_id}.dkr.ecr.{self.region}.{DNS_SUFFIXES[self.partition]}"

    @property
    def boundary_parameter(self) -> str | None:
        """The SSM parameter that has the boundary's name or ARN, if the inventory names one."""
        boundary = self.permissions_boundary or ""
        return boundary.removeprefix(FROM_PARAMETER) if boundary.startswith(FROM_PARAMETER) else None

    @property
    def permissions_boundary_arn(self) -> str | None:
        """The boundary's ARN; None if there is no boundary, or if only ``boundary_parameter`` has it."""
        boundary = self.permissions_boundary
        if boundary is None or boundary.startswith(FROM_PARAMETER):
            return None
        return self.arn_of_policy(boundary)

    def arn_of_policy(self, name: str) -> str:
        """Return the ARN of a managed policy that the inventory gives by its name or ARN."""
        if name.startswith("arn:"):
            return name
        return f"arn:{self.partition}:iam::{self.account_id}:policy/{name.lstrip('/')}"

    def has_repository(self, name: str) -> bool:
        """Return whether a repository of this name is below one of the venue's prefixes."""
        return any(name.startswith(prefix) and name != prefix for prefix in self.ecr_repository_prefixes)

    def policy_name(self, service: str) -> str:
        """Return the name of the role's managed policy for ``s3`` or ``ecr``."""
        return f"{self.role_name}-{service}"

    def policy_arn(self, service: str) -> str:
        return f"arn:{self.partition}:iam::{self.account_id}:policy{self.role_path}{self.policy_name(service)}"


EMULATOR_OPERATOR_ROLE = "venue-access-operator"
"""The role that the operator has in every account of the AWS emulator."""


def emulator_operator_arn(account_id: str, partition: str = "aws") -> str:
    """Return the ARN of the emulator's operator role in an account."""
    return f"arn:{partition}:iam::{account_id}:role/{EMULATOR_OPERATOR_ROLE}"


def names_of(venues: Sequence[Venue]) -> str:
    """Return the names of venues for a message: three at most, and how many more."""
    more = f" and {len(venues) - 3} more" if len(venues) > 3 else ""
    return ", ".join(venue.name for venue in venues[:3]) + more


def find_venue(venues: Mapping[str, Venue], wanted: str | None, *, user: str | None = None) -> Venue:
    """Return the venue ``wanted``, by its inventory name, or by the bare venue name if only one project has it.

    None is the only venue of the inventory, or the only one that lists ``user`` (name or email).

    :raises UsageError: no venue or several; with the candidates.
    """
    if wanted is None:
        return _inferred(venues, user)
    if wanted in venues:
        return venues[wanted]
    bare = [venue for venue in venues.values() if venue.venue == wanted]
    if len(bare) == 1:
        return bare[0]
    if bare:
        raise UsageError(f"several projects have a venue {wanted!r}", hint=f"choose one of: {_names(bare)}")
    names = [*venues, *(venue.venue for venue in venues.values())]
    raise UsageError(
        f"the inventory has no venue {wanted!r}{did_you_mean(wanted, names)}", hint=f"it has: {_names(venues.values())}"
    )


def find_venue_of(venues: Mapping[str, Venue], wanted: str | None, users: Iterable[str]) -> Venue:
    """Return the venue as ``find_venue`` does, for several users.

    :raises UsageError: their venues differ.
    """
    found = {venue.name: venue for venue in (find_venue(venues, wanted, user=user) for user in users)}
    if len(found) > 1:
        raise UsageError("these users are of several venues", hint=f"choose one with --venue: {_names(found.values())}")
    return next(iter(found.values()))


def _inferred(venues: Mapping[str, Venue], user: str | None) -> Venue:
    candidates = list(venues.values())
    if not candidates:
        raise UsageError("the inventory has no venue")
    if len(candidates) > 1 and user is not None:
        candidates = [venue for venue in candidates if _lists(venue, user)] or candidates
    if len(candidates) > 1:
        raise UsageError("which venue?", hint=f"choose one with --venue: {_names(candidates)}")
    return candidates[0]


def _lists(venue: Venue, user: str) -> bool:
    return any(is_called(recipient, user) and may_use(recipient, venue) for recipient in venue.users.values())


def _names(venues: Iterable[Venue], most: int = 20) -> str:
    names = [venue.name for venue in venues]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
