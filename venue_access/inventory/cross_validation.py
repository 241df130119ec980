"""Validate venues against each other: names that two of them would share, and stacks whose venues disagree."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from venue_access.errors import Problem
from venue_access.inventory.arns import partition_by_name
from venue_access.inventory.groups import Inventory
from venue_access.inventory.model import Venue

SHARED_IN_A_STACK = tuple(
    "account_id region partition state aws_profile operator_role_arn aws_endpoint_url emulator".split()
)


def conflicts(inventory: Inventory, venues: list[Venue]) -> Iterator[Problem]:
    """Yield the problems between the venues of an inventory, and fill the ``bucket_uses`` that they share."""
    for venue in venues:
        uses, where = venue.bucket_uses, _namespace(venue)
        uses.role_prefixes.add(_as_in_buckets(venue.role_prefix))
        for bucket in venue.s3_buckets or ():
            uses.data.setdefault((where, bucket), venue.name)
        for store in _stores(venue):
            what = "Terraform state" if store.key == _STATE else "ledger"
            uses.kept.setdefault((where, store.bucket), f"holds the {what} of {venue.name}")
    yield from _same_names(inventory, venues)
    yield from _other_uses(inventory, venues)
    yield from _nested_prefixes(inventory, venues)
    yield from _wrong_regions(inventory, venues)
    yield from _nested_repositories(inventory, venues)
    yield from _disagreeing_stacks(inventory, venues)


def _same_names(inventory: Inventory, venues: list[Venue]) -> Iterator[Problem]:
    """Yield equal role names, whose case and path IAM ignores, then data buckets of two venues.

    Source: IAM API, CreateRole.
    """
    roles: dict[Hashable, Venue] = {}
    for venue in venues:
        other = roles.setdefault((venue.account, venue.role_name.casefold()), venue)
        if other is not venue:
            message = f"{venue.role_name!r} is also the role of {other.name}, in the same account (IAM ignores case)"
            yield inventory.problem(venue.name, message)
    buckets: dict[Hashable, Venue] = {}
    for venue in venues:
        for bucket in venue.s3_buckets or ():
            other = buckets.setdefault((venue.account, bucket), venue)
            if other is not venue:
                message = f"the bucket {bucket!r} is also that of {other.name}, whose data a token would reach"
                yield inventory.problem(venue.name, message, "s3_buckets")


# -- repositories


@dataclass
class _Prefix:
    """A repository prefix, the first venue that has it, and the first that does not share it."""

    name: str
    first: Venue
    unshared: Venue | None = None


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
                    yield inventory.problem(venue.name, message, "ecr_repository_prefixes")
                    break
            if not enclosing or enclosing[-1].name != prefix:
                enclosing.append(_Prefix(prefix, venue))
            if not venue.ecr_shared and enclosing[-1].unshared is None:
                enclosing[-1].unshared = venue


# -- stacks


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
                    f" {'none' if theirs is None else theirs} and {venue.name} has {'none' if mine is None else mine}"
                )
                yield inventory.problem(venue.name, message, key)


# -- buckets

_STATE, _LEDGER = "state", "ledger"


class _Store(NamedTuple):
    """A state or a ledger in S3."""

    key: str
    """The inventory's variable: ``state`` or ``ledger``."""
    bucket: str
    prefix: str
    region: str


def _stores(venue: Venue) -> list[_Store]:
    found = []
    state, ledger = venue.state, venue.ledger
    if state.bucket is not None:
        found.append(_Store(_STATE, state.bucket, state.key_prefix, state.region or venue.region))
    if ledger is not None:
        found.append(_Store(_LEDGER, ledger.bucket, ledger.prefix, ledger.region or venue.region))
    return found


def _other_use(venue: Venue, bucket: str) -> str | None:
    """Return the other use of a bucket named for a venue's data, such as "holds the ledger of unity-dev", or None."""
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
    reason = _other_use(venue, bucket)
    if reason is not None:
        return reason
    other = uses.data.get(key) or uses.found.setdefault(key, venue.name)
    return None if other == venue.name else f"is the data bucket of {other}"


def _other_uses(inventory: Inventory, venues: list[Venue]) -> Iterator[Problem]:
    """Yield data buckets that have another use, and ledgers without a prefix in the platform's buckets."""
    for venue in venues:
        for bucket in venue.s3_buckets or ():
            reason = _other_use(venue, bucket)
            if reason is not None:
                message = f"the bucket {bucket!r} {reason}; name a bucket that holds the venue's data alone"
                yield inventory.problem(venue.name, message, "s3_buckets")
        if venue.ledger is not None and not venue.ledger.prefix:
            reason = _platforms(venue, venue.ledger.bucket)
            if reason is not None:
                message = f"the bucket {venue.ledger.bucket!r} {reason}; give the ledger a prefix"
                yield inventory.problem(venue.name, message, _LEDGER)


def _nested_prefixes(inventory: Inventory, venues: list[Venue]) -> Iterator[Problem]:
    """Yield states and ledgers within the prefix of a ledger, and ledgers within that of a state."""
    buckets: dict[tuple[Hashable, str], dict[tuple[str, str], Venue]] = {}
    for venue in venues:
        for store in _stores(venue):
            places = buckets.setdefault((_namespace(venue), store.bucket), {})
            places.setdefault((store.prefix, store.key), venue)
    for (_, bucket), places in buckets.items():
        enclosing: list[tuple[str, str]] = []
        for prefix, key in sorted(places):
            while enclosing and not prefix.startswith(enclosing[-1][0]):
                enclosing.pop()
            outer = next((each for each in enclosing if _LEDGER in (each[1], key)), None)
            if outer is not None:
                message = (
                    f"its {key} in s3://{bucket}/{prefix} lies within the {outer[1]} of {places[outer].name} in"
                    f" s3://{bucket}/{outer[0]}; use another bucket, or prefixes of which neither begins with the other"
                )
                yield inventory.problem(places[prefix, key].name, message, key)
            enclosing.append((prefix, key))


def _wrong_regions(inventory: Inventory, venues: list[Venue]) -> Iterator[Problem]:
    """Yield the buckets of states and ledgers in two regions, or outside the venue's partition."""
    seen: dict[tuple[Hashable, str], tuple[str, Venue]] = {}
    for venue in venues:
        for key, bucket, _, region in _stores(venue):
            first, other = seen.setdefault((_namespace(venue), bucket), (region, venue))
            if partition_by_name(region) != venue.partition:
                message = f"{region} is not a region of the venue's partition {venue.partition!r}"
            elif first != region:
                message = (
                    f"the bucket {bucket!r} would be in {region} here, and in {first} for {other.name}; name its region"
                )
            else:
                continue
            yield inventory.problem(venue.name, message, key)


def _namespace(venue: Venue) -> Hashable:
    """Return what bucket names are unique in: a partition, or an endpoint that is not AWS.

    Source: Amazon S3 User Guide, general purpose bucket naming rules.
    """
    return (venue.partition, venue.endpoint_name)


def _as_in_buckets(name: str) -> str:
    """Return part of a name as the platform writes it in a bucket's name."""
    return name.lower().replace("_", "-")
