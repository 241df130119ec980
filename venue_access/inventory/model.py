"""A venue, its recipients and what else an inventory declares, as frozen values."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field

from venue_access.errors import UsageError
from venue_access.inventory import validators
from venue_access.inventory.arns import DNS_SUFFIXES, FROM_PARAMETER
from venue_access.inventory.schema import Variables
from venue_access.inventory.validators import InvalidValue
from venue_access.inventory.value_types import EmulatorSeed, LedgerBucket, Recipient, StateBackend

__all__ = ["EmulatorSeed", "LedgerBucket", "Recipient", "StateBackend"]  # parts of a venue


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


def names_of(venues: Iterable[Venue], most: int = 3) -> str:
    """Return the names of venues for a message: a few, and how many more."""
    names = [venue.name for venue in venues]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def find_venue(venues: Mapping[str, Venue], wanted: str | None, *, user: str | None = None) -> Venue:
    """Return the venue ``wanted``, by its inventory name, or by the bare venue name if only one project has it.

    None is the only venue of the inventory, or the only one that lists ``user`` (name or email).

    :raises UsageError: no venue or several; with the candidates.
    """
    if wanted is None:
        if not venues:
            raise UsageError("the inventory has no venue")
        candidates = list(venues.values())
        if len(candidates) > 1 and user is not None:
            candidates = [venue for venue in candidates if _serves(venue, user)] or candidates
        if len(candidates) > 1:
            raise UsageError("which venue?", hint=f"choose one with --venue: {names_of(candidates, 20)}")
        return candidates[0]
    if wanted in venues:
        return venues[wanted]
    bare = [venue for venue in venues.values() if venue.venue == wanted]
    if len(bare) == 1:
        return bare[0]
    if bare:
        raise UsageError(f"several projects have a venue {wanted!r}", hint=f"choose one of: {names_of(bare, 20)}")
    from venue_access.inventory.suggestions import did_you_mean

    names = [*venues, *(venue.venue for venue in venues.values())]
    raise UsageError(
        f"the inventory has no venue {wanted!r}{did_you_mean(wanted, names)}",
        hint=f"it has: {names_of(venues.values(), 20)}",
    )


def find_venue_of(venues: Mapping[str, Venue], wanted: str | None, users: Iterable[str]) -> Venue:
    """Return the venue as ``find_venue`` does, for several users.

    :raises UsageError: their venues differ.
    """
    found = {venue.name: venue for venue in (find_venue(venues, wanted, user=user) for user in users)}
    if len(found) > 1:
        raise UsageError(
            "these users are of several venues", hint=f"choose one with --venue: {names_of(found.values(), 20)}"
        )
    return next(iter(found.values()))


def _serves(venue: Venue, user: str) -> bool:
    return any(is_called(recipient, user) and may_use(recipient, venue) for recipient in venue.users.values())


# -- recipients


def is_called(recipient: Recipient, name: str) -> bool:
    """Return whether ``name`` is the recipient's name, or their email in any case."""
    return recipient.name == name or (recipient.email is not None and recipient.email.casefold() == name.casefold())


def may_use(recipient: Recipient, venue: Venue) -> bool:
    """Return whether a recipient that ``venue`` lists gets its tokens."""
    return recipient.venues is None or venue.name in recipient.venues


def similar_user(venue: Venue, user: str, others: Iterable[str] = ()) -> str | None:
    """Return the name of the user that an unknown name or email misspells, or None.

    :param others: names that are known besides those of the venue's users.
    """
    if any(is_called(recipient, user) for recipient in venue.users.values()):
        return None
    from venue_access.inventory.suggestions import misspelt

    known = {name: name for name in [*venue.users, *others]}
    known |= {recipient.email: recipient.name for recipient in venue.users.values() if recipient.email is not None}
    meant = misspelt(user, tuple(known))
    return None if meant is None else known[meant]


def find_recipient(venue: Venue, user: str, *, accept_similar: bool = False) -> Recipient:
    """Return the recipient of a venue by name or email; one that is not listed is new, unless ``users_only``.

    :param accept_similar: accept a new name although it is similar to a listed one.
    :raises UsageError: the venue does not serve this user, the name is probably misspelt, or AWS does not take it.
    """
    for recipient in venue.users.values():
        if is_called(recipient, user):
            if not may_use(recipient, venue):
                raise UsageError(
                    f"{recipient.name} does not get tokens for {venue.name}",
                    hint=f"the inventory lists: {', '.join(recipient.venues or ()) or 'no venue'}",
                )
            return recipient
    names = [name for name, recipient in venue.users.items() if "@" not in name and may_use(recipient, venue)]
    if venue.users_only:
        from venue_access.inventory.suggestions import did_you_mean

        raise UsageError(
            f"{venue.name} gives tokens only to its users, and {user!r} is not one of them{did_you_mean(user, names)}",
            hint="add them to 'users:' in the inventory, or ask the venue's administrator to",
        )
    for name in names:
        if name.casefold() == user.casefold():
            raise UsageError(f"{user!r} is not a user of {venue.name}; did you mean {name!r}?")
    try:
        found = Recipient(validators.recipient_name(user))
    except InvalidValue as error:
        hint = "it becomes the beginning of the role session name, and the name of a file"
        raise UsageError(f"the user name {error}", hint=hint) from error
    meant = None if accept_similar else similar_user(venue, user)
    if meant is not None:
        raise unknown_user(venue, user, meant)
    return found


def unknown_user(venue: Venue, user: str, meant: str) -> UsageError:
    """Return the error for an unknown user whose name probably misspells ``meant``."""
    return UsageError(
        f"{venue.name}: unknown user {user!r} (did you mean {meant!r}?)",
        hint=f"if {user!r} is the right name, pass --yes",
    )


def names_called(venues: Iterable[Venue], user: str) -> set[str]:
    """Return the names that ``user``, a name or an email, may refer to: itself, and those of the venues' users."""
    return {user} | {
        recipient.name for venue in venues for recipient in venue.users.values() if is_called(recipient, user)
    }


def name_of(venue: Venue, user: str) -> str:
    """Return the name of a recipient by name or email, whether or not the venue still serves them.

    :raises UsageError: AWS does not take the name.
    """
    for recipient in venue.users.values():
        if is_called(recipient, user):
            return recipient.name
    try:
        return validators.session_name(user)  # tokens may have been issued under a name that is refused now
    except InvalidValue as error:
        raise UsageError(f"the user name {error}", hint="give the name or email that the inventory has") from error
