"""Which venues share one Terraform root and state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from venue_access.errors import InventoryError, Problem
from venue_access.inventory.model import StateBackend, Venue

_SHARED = (
    "account_id",
    "region",
    "partition",
    "state",
    "aws_profile",
    "operator_role_arn",
    "aws_endpoint_url",
    "emulator",
)
"""What the venues of a stack must agree on: a root has one provider, reached in one way, and one state."""


@dataclass(frozen=True)
class StateLocation:
    """Where a stack's state is: an object in S3, or the stack's folder in the work directory."""

    bucket: str | None = None
    key: str = ""
    region: str = field(default="", compare=False)
    kms_key_id: str | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return "the work directory" if self.bucket is None else f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class Stack:
    """One Terraform root with one state, and the venues in it in order of name.

    Make it with ``group_into_stacks``, which sees to it that the venues agree on what they share.
    """

    name: str
    venues: tuple[Venue, ...]

    @property
    def account_id(self) -> str:
        return self.venues[0].account_id

    @property
    def region(self) -> str:
        return self.venues[0].region

    @property
    def partition(self) -> str:
        return self.venues[0].partition

    @property
    def state(self) -> StateBackend:
        return self.venues[0].state

    @property
    def aws_profile(self) -> str | None:
        return self.venues[0].aws_profile

    @property
    def operator_role_arn(self) -> str | None:
        return self.venues[0].operator_role_arn

    @property
    def aws_endpoint_url(self) -> str | None:
        return self.venues[0].aws_endpoint_url

    @property
    def emulator(self) -> bool:
        return self.venues[0].emulator

    @property
    def state_key(self) -> str:
        """The S3 key of the stack's state, ``<key_prefix>/<stack>/terraform.tfstate``."""
        return "/".join(filter(None, [self.state.key_prefix.strip("/"), self.name, "terraform.tfstate"]))

    @property
    def state_location(self) -> StateLocation:
        """Where the inventory has the stack's state."""
        state = self.state
        if state.bucket is None:
            return StateLocation()
        return StateLocation(state.bucket, self.state_key, state.region or self.region, state.kms_key_id)


def stack_of(venues: Mapping[str, Venue], venue: Venue) -> Stack:
    """The stack of an inventory's ``venues`` that a venue is in."""
    return next(stack for stack in group_into_stacks(venues.values()) if stack.name == venue.stack)


def group_into_stacks(venues: Iterable[Venue]) -> list[Stack]:
    """The stacks that these venues make up, in order of name.

    Give it every venue of the inventory, not just the selected ones: a root that leaves a venue out destroys it.

    :raises InventoryError: venues of one stack differ in what a stack has one of, such as the account.
    """
    members: dict[str, list[Venue]] = {}
    for venue in sorted(venues, key=lambda venue: venue.name):
        members.setdefault(venue.stack, []).append(venue)
    problems = [
        Problem(
            f"differs from {first.name}, which is in the same stack {name!r}; give it a stack of its own",
            venue=venue.name,
            key=key,
        )
        for name, (first, *others) in members.items()
        for venue in others
        for key in _SHARED
        if getattr(venue, key) != getattr(first, key)
    ]
    if problems:
        raise InventoryError(problems)
    return [Stack(name, tuple(members[name])) for name in sorted(members)]
