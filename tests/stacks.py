"""Venues, stacks and renderings to test with: a test names only what it is about."""

from __future__ import annotations

import dataclasses
from typing import Any

from venue_access.inventory.model import Venue
from venue_access.policies.documents import ExternalIds
from venue_access.provisioning.render import Import, Rendering, render
from venue_access.provisioning.stack import Stack, group_into_stacks
from venue_access.sensitive import ExternalId

PORTAL = "arn:aws:iam::111122223333:role/portal-admin"
OTHER_ACCOUNT = "arn:aws:iam::444455556666:root"

PLAIN = Venue(
    name="unity-dev",
    project="unity",
    venue="dev",
    account_id="111122223333",
    region="us-west-2",
    partition="aws",
    trusted_principals=(PORTAL,),
    stack="shared",
    ecr_repository_prefixes=("unity-dev/",),
)


def a_venue(name: str = "unity-dev", **changes: Any) -> Venue:
    """The plainest venue, with changes."""
    project, venue = name.split("-", 1)
    named = dataclasses.replace(
        PLAIN, name=name, project=project, venue=venue, ecr_repository_prefixes=(f"{project}-{venue}/",)
    )
    return dataclasses.replace(named, **changes)


def a_full_venue(name: str = "unity-full", **changes: Any) -> Venue:
    """A venue with every option on."""
    everything: dict[str, Any] = {
        "trusted_principals": (PORTAL, "arn:aws:iam::111122223333:user/anna", OTHER_ACCOUNT),
        "s3_allow_delete": True,
        "ecr_repository_prefixes": (f"{name}/", "tropess/"),
        "kms_key_arns": (
            "arn:aws:kms:us-west-2:111122223333:key/11111111-2222-3333-4444-555555555555",
            "arn:aws:kms:us-west-2:111122223333:key/00000000-2222-3333-4444-555555555555",
        ),
        "require_mfa": True,
        "principal_org_id": "o-a1b2c3d4e5",
        "source_cidrs": ("192.0.2.0/24", "2001:db8::/32"),
        "source_identity": True,
        "session_tags": {"purpose": "review"},
        "permissions_boundary": "zsmce-tenantOperator-AMI-APIG",
        "role_path": "/unity/",
        "max_session_duration": 7200,
        "tags": {"Owner": "Größe", "env": "production"},
    }
    return a_venue(name, **{**everything, **changes})


def a_stack(*venues: Venue) -> Stack:
    """The one stack that these venues make up."""
    [stack] = group_into_stacks(venues or (a_venue(),))
    return stack


def some_ids(venue: Venue, *, rotating: bool = False) -> ExternalIds:
    """External IDs that tell which venue they belong to."""
    pending = ExternalId(f"{venue.name}:pending") if rotating else None
    return ExternalIds(ExternalId(f"{venue.name}:current"), pending)


def buckets_of(venue: Venue) -> tuple[str, ...]:
    """The buckets that ``a_rendering`` gives a venue: two for a full one."""
    return (f"{venue.name}-data", f"{venue.name}-more") if venue.s3_allow_delete else (f"{venue.name}-data",)


def a_rendering(*venues: Venue, imports: tuple[Import, ...] = ()) -> Rendering:
    """The rendering of one stack; venues that send session tags are in the middle of a rotation."""
    stack = a_stack(*venues)
    return render(
        stack,
        buckets={venue.name: buckets_of(venue) for venue in stack.venues},
        external_ids={venue.name: some_ids(venue, rotating=bool(venue.session_tags)) for venue in stack.venues},
        imports=imports,
    )
