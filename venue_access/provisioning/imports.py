"""Import existing objects: which of a venue's objects exist in AWS and are not in its stack's state.

A venue that was set up by hand, or whose state is lost, is imported instead of created. A role is not imported where
that would replace it, remove its permissions boundary, or take it from another stack's state.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from venue_access.aws.client import AwsClient
from venue_access.config import Settings
from venue_access.errors import UsageError
from venue_access.inventory.model import Venue
from venue_access.provisioning.render import Import, managed_resources
from venue_access.provisioning.results import venue_of
from venue_access.provisioning.stack import STACK_TAG, Stack
from venue_access.provisioning.stack_folder import accounts_in
from venue_access.provisioning.terraform import resources_in
from venue_access.provisioning.venue_snapshot import VenueSnapshot


def imports_for(
    settings: Settings,
    stack: Stack,
    aws: AwsClient,
    known: frozenset[str],
    snapshots: Mapping[str, VenueSnapshot],
    venue: Venue,
) -> list[Import]:
    """Return the objects of a venue to import.

    :param known: the addresses in the stack's state.
    :param snapshots: by venue.
    :raises UsageError: the role must not be imported as the inventory describes it, or another stack's state has it.
    """
    snapshot = snapshots[venue.name]
    found = missing_from_state(aws, venue, snapshot, known)
    if managed_resources(venue)[0] in found:  # the role
        check_importable(venue, snapshot)
        check_no_other_stack(settings, stack, venue, snapshot, aws)
    return found


def missing_from_state(aws: AwsClient, venue: Venue, snapshot: VenueSnapshot, known: frozenset[str]) -> list[Import]:
    """Return the objects of a venue that exist in AWS and whose addresses are not ``known`` to the state."""
    attached: frozenset[str] | None = None
    found = []
    for resource in managed_resources(venue):
        if resource.address in known:
            continue
        kind = resource.address.split(".")[-2]
        if kind == "aws_iam_role":
            exists = snapshot.role is not None
        elif kind == "aws_ssm_parameter":
            exists = snapshot.parameter is not None
        elif kind == "aws_iam_policy":
            exists = aws.managed_policy_exists(resource.id)
        elif snapshot.role is None:
            exists = False
        else:
            if attached is None:
                attached = aws.attached_policies(venue.role_name)
            exists = resource.id.split("/", 1)[1] in attached
        if exists:
            found.append(resource)
    return found


def check_importable(venue: Venue, snapshot: VenueSnapshot) -> None:
    """Check that an import leaves a role's path and permissions boundary as they are.

    :raises UsageError: the role has another path (it would be replaced), or a permissions boundary that the inventory
        does not name (it would be removed).
    """
    role = snapshot.role
    if role is None:
        return
    if role.path != venue.role_path:
        raise UsageError(
            f"{venue.name}: the role {venue.role_name} exists already, with the path {role.path}",
            hint=f"set role_path: {role.path}",
        )
    boundary = role.permissions_boundary_arn
    if boundary is not None and venue.permissions_boundary is None:
        named = boundary.split(":policy/", 1)[1] if f":{venue.account_id}:" in boundary else boundary
        raise UsageError(
            f"{venue.name}: the role {venue.role_name} has the permissions boundary {boundary}, which the inventory"
            " does not name",
            hint=f"set permissions_boundary: {named}",
        )


def check_no_other_stack(
    settings: Settings, stack: Stack, venue: Venue, snapshot: VenueSnapshot, aws: AwsClient
) -> None:
    """Check that no other stack's state has the venue: that stack would later destroy it.

    :raises UsageError: one has; the hint says how to move the venue.
    """
    other = _stack_with(settings, stack, venue, snapshot, aws)
    if other is not None:
        message, hint = moving(venue.name, stack.name, other)
        raise UsageError(message, hint=hint)


def moving(name: str, stack: str, other: str) -> tuple[str, str]:
    """Return message and hint for a venue that the inventory has moved to ``stack`` from the ``other`` stack."""
    return (
        f"{name}: the inventory has it in stack {stack}, but it is in the state of stack {other}",
        f"move it, with nothing destroyed: invoke state.rm --venue {name} --stack {other}; then:"
        f" invoke provision --venue {name}",
    )


def _stack_with(settings: Settings, stack: Stack, venue: Venue, snapshot: VenueSnapshot, aws: AwsClient) -> str | None:
    for folder in sorted((settings.work_directory / "stacks").iterdir()):
        if folder.name != stack.name and _has(_local_state(folder), venue, stack):
            return folder.name
    tagged = "" if snapshot.role is None else snapshot.role.tags.get(STACK_TAG, "")
    if stack.state.bucket is not None and tagged not in ("", stack.name):
        from venue_access.provisioning.state_object import StateObject  # rarely needed

        other = Stack(tagged, (replace(venue, stack=tagged),))
        if _has(StateObject(other, other.state_location, aws).read(), venue, stack):
            return tagged
    return None


def _local_state(folder: Path) -> dict[str, Any]:
    """Return another stack's local state; empty while Terraform is writing it."""
    try:
        state = json.loads((folder / "terraform.tfstate").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def _has(state: Mapping[str, Any], venue: Venue, stack: Stack) -> bool:
    """Return whether a state has this venue, and not one of the same name in another account."""
    named = any(venue_of(each)[0] == venue.name for each in resources_in(state).addresses)
    return named and all(each.agrees_with(stack) for each in accounts_in(state))
