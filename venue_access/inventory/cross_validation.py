"""Validate venues against each other: names that two of them would share, and stacks whose venues disagree."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass

from venue_access.errors import Problem
from venue_access.inventory.arns import partition_by_name
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


_DATA, _STATE, _LEDGER = "s3_buckets", "state", "ledger"


def register_uses(venue: Venue) -> None:
    """Add the uses of a venue's buckets to ``venue.bucket_uses``, which the venues of an inventory share."""
    uses, where = venue.bucket_uses, _namespace(venue)
    uses.role_prefixes.add(_as_in_buckets(venue.role_prefix))
    for bucket in venue.s3_buckets or ():
        uses.data.setdefault((where, bucket), venue.name)
    if venue.state.bucket is not None:
        uses.kept.setdefault((where, venue.state.bucket), f"holds the Terraform state of {venue.name}")
    if venue.ledger is not None:
        uses.kept.setdefault((where, venue.ledger.bucket), f"holds the ledger of {venue.name}")


def other_use(venue: Venue, bucket: str) -> str | None:
    """Return the other use of a bucket named for a venue's data, such as "holds the ledger of unity-dev", or None.

    Data buckets that the inventory names are compared by ``conflicts``.
    """
    return _platforms(venue, bucket) or venue.bucket_uses.kept.get((_namespace(venue), bucket))


def _platforms(venue: Venue, bucket: str) -> str | None:
    """Return that a bucket is named like the platform's buckets for Terraform state, or None."""
    prefixes = venue.bucket_uses.role_prefixes | {"unity", _as_in_buckets(venue.role_prefix)}
    for dash in re.finditer("-(?=.+-.+-bucket$)", bucket):
        prefix = bucket[: dash.start()]
        if prefix in prefixes:
            return f"is named {prefix}-<project>-<venue>-bucket, as the platform's buckets for Terraform state are"
    return None


def other_use_of_found(venue: Venue, bucket: str) -> str | None:
    """Return the other use of the bucket that the SSM parameter of a venue names, or None.

    The bucket is also compared with those that the inventory names for other venues, and with those that were found
    for other venues in this run.
    """
    uses, key = venue.bucket_uses, (_namespace(venue), bucket)
    reason = other_use(venue, bucket)
    if reason is not None:
        return reason
    other = uses.data.get(key) or uses.found.setdefault(key, venue.name)
    return None if other == venue.name else f"is the data bucket of {other}"


def conflicting_buckets(inventory: Inventory, venues: list[Venue]) -> Iterator[Problem]:
    """Yield the problems of data buckets, states and ledgers that share a bucket or a prefix.

    :param venues: all of them, each registered by ``register_uses``.
    """
    for venue in venues:
        for bucket in venue.s3_buckets or ():
            reason = other_use(venue, bucket)
            if reason is not None:
                message = f"the bucket {bucket!r} {reason}; name a bucket that holds the venue's data alone"
                yield inventory.problem(venue.name, message, _DATA)
        ledger = venue.ledger
        reason = None if ledger is None or ledger.prefix else _platforms(venue, ledger.bucket)
        if ledger is not None and reason is not None:
            message = f"the bucket {ledger.bucket!r} {reason}; give the ledger a prefix"
            yield inventory.problem(venue.name, message, _LEDGER)
    yield from _nested_prefixes(inventory, venues)
    yield from _wrong_regions(inventory, venues)


@dataclass(frozen=True, order=True)
class _Place:
    """A prefix in a bucket that has a state or a ledger."""

    prefix: str
    key: str
    """The inventory's variable: ``state`` or ``ledger``."""


def _nested_prefixes(inventory: Inventory, venues: list[Venue]) -> Iterator[Problem]:
    buckets: dict[tuple[Hashable, str], dict[_Place, Venue]] = {}
    for venue in venues:
        if venue.state.bucket is not None:
            places = buckets.setdefault((_namespace(venue), venue.state.bucket), {})
            places.setdefault(_Place(venue.state.key_prefix, _STATE), venue)
        if venue.ledger is not None:
            places = buckets.setdefault((_namespace(venue), venue.ledger.bucket), {})
            places.setdefault(_Place(venue.ledger.prefix, _LEDGER), venue)
    for (_, bucket), places in buckets.items():
        enclosing: list[_Place] = []
        for place in sorted(places):
            while enclosing and not place.prefix.startswith(enclosing[-1].prefix):
                enclosing.pop()
            outer = next((each for each in enclosing if _LEDGER in (each.key, place.key)), None)
            if outer is not None:
                venue = places[place]
                message = (
                    f"its {place.key} in s3://{bucket}/{place.prefix} lies within the {outer.key} of"
                    f" {places[outer].name} in s3://{bucket}/{outer.prefix}; use another bucket, or prefixes of which"
                    " neither begins with the other"
                )
                yield inventory.problem(venue.name, message, place.key)
            enclosing.append(place)


def _wrong_regions(inventory: Inventory, venues: list[Venue]) -> Iterator[Problem]:
    """Yield the buckets of states and ledgers in two regions, or outside the venue's partition.

    Their region is the venue's unless the inventory names it.
    """
    seen: dict[tuple[Hashable, str], tuple[str, Venue]] = {}
    for venue in venues:
        state, ledger = venue.state, venue.ledger
        named = [(_STATE, state.bucket, state.region)] if state.bucket is not None else []
        named += [(_LEDGER, ledger.bucket, ledger.region)] if ledger is not None else []
        for key, bucket, region in named:
            where = region or venue.region
            first, other = seen.setdefault((_namespace(venue), bucket or ""), (where, venue))
            message = ""
            if partition_by_name(where) != venue.partition:
                message = f"{where} is not a region of the venue's partition {venue.partition!r}"
            elif first != where:
                message = (
                    f"the bucket {bucket!r} would be in {where} here, and in {first} for {other.name}; name its region"
                )
            if message:
                yield inventory.problem(venue.name, message, key)


def _namespace(venue: Venue) -> Hashable:
    """Return what bucket names are unique in: a partition, or an endpoint that is not AWS.

    Source: Amazon S3 User Guide, general purpose bucket naming rules.
    """
    return (venue.partition, venue.endpoint_name)


def _as_in_buckets(name: str) -> str:
    """Return part of a name as the platform writes it in a bucket's name."""
    return name.lower().replace("_", "-")
