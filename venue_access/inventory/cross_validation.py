"""Validate venues against each other: names that two of them would share, and stacks whose venues disagree."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass

from venue_access.errors import Problem
from venue_access.inventory.bucket_uses import conflicting_buckets
from venue_access.inventory.groups import Inventory
from venue_access.inventory.model import Venue

SHARED_IN_A_STACK = (
    "account_id",
    "region",
    "partition",
    "state",
    "aws_profile",
    "operator_role_arn",
    "aws_endpoint_url",
    "emulator",
)


def conflicts(inventory: Inventory, venues: list[Venue]) -> Iterator[Problem]:
    """Yield the problems between the venues of an inventory."""
    yield from _same_roles(inventory, venues)
    yield from _same_buckets(inventory, venues)
    yield from conflicting_buckets(inventory, venues)
    yield from _nested_repositories(inventory, venues)
    yield from _disagreeing_stacks(inventory, venues)


def _same_roles(inventory: Inventory, venues: list[Venue]) -> Iterator[Problem]:
    """Yield equal role names. IAM ignores their case and path. Source: IAM API, CreateRole."""
    seen: dict[Hashable, Venue] = {}
    for venue in venues:
        other = seen.setdefault((venue.account, venue.role_name.casefold()), venue)
        if other is not venue:
            message = f"{venue.role_name!r} is also the role of {other.name}, in the same account (IAM ignores case)"
            yield inventory.problem(venue.name, message)


def _same_buckets(inventory: Inventory, venues: list[Venue]) -> Iterator[Problem]:
    """Yield buckets of two venues: a token of one would read and write the data of the other."""
    seen: dict[Hashable, Venue] = {}
    for venue in venues:
        for bucket in venue.s3_buckets or ():
            other = seen.setdefault((venue.account, bucket), venue)
            if other is not venue:
                message = f"the bucket {bucket!r} is also that of {other.name}, whose data a token would reach"
                yield inventory.problem(venue.name, message, "s3_buckets")


def _nested_repositories(inventory: Inventory, venues: list[Venue]) -> Iterator[Problem]:
    """Yield prefixes within another: a token of the outer would reach the repositories of the inner."""
    registries: dict[Hashable, list[tuple[str, Venue]]] = {}
    for venue in venues:
        named = registries.setdefault((venue.account, venue.region), [])
        named += [(prefix, venue) for prefix in venue.ecr_repository_prefixes]
    for registry in registries.values():
        enclosing: list[_Prefix] = []
        for prefix, venue in sorted(registry, key=lambda named: named[0]):
            while enclosing and not prefix.startswith(enclosing[-1].name):
                enclosing.pop()
            for outer in enclosing:
                other = outer.unshared if venue.ecr_shared else outer.first
                if other is not None and other is not venue:
                    message = (
                        f"{prefix!r} lies within {outer.name!r} of {other.name}, whose tokens would reach it;"
                        " if that is intended, set ecr_shared: true for both venues"
                    )
                    key = "ecr_repository_prefixes"
                    yield inventory.problem(venue.name, message, key)
                    break
            if not enclosing or enclosing[-1].name != prefix:
                enclosing.append(_Prefix(prefix, venue))
            if not venue.ecr_shared and enclosing[-1].unshared is None:
                enclosing[-1].unshared = venue


@dataclass
class _Prefix:
    """A repository prefix, the first venue that has it, and the first that does not share it."""

    name: str
    first: Venue
    unshared: Venue | None = None


def _disagreeing_stacks(inventory: Inventory, venues: list[Venue]) -> Iterator[Problem]:
    first: dict[str, Venue] = {}
    for venue in venues:
        other = first.setdefault(venue.stack.casefold(), venue)
        if other.stack != venue.stack:
            message = f"{venue.stack!r} differs only in case from the stack of {other.name}; some disks ignore case"
            yield inventory.problem(venue.name, message, "stack")
            continue
        for key in SHARED_IN_A_STACK:
            mine, theirs = getattr(venue, key), getattr(other, key)
            if mine != theirs:
                message = (
                    f"venues of one stack share it, and in the stack {venue.stack!r} {other.name} has"
                    f" {_shown(theirs)} and {venue.name} has {_shown(mine)}"
                )
                yield inventory.problem(venue.name, message, key)


def _shown(value: object) -> str:
    return "none" if value is None else str(value)
