"""Move what Terraform knows: a stack's state between this machine and S3, a venue from one stack to another.

Nothing in AWS changes but the state, and a state is never overwritten.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from venue_access.aws.client import AwsClient
from venue_access.config import Settings
from venue_access.errors import UsageError
from venue_access.files import write_private
from venue_access.inventory.model import Venue
from venue_access.provisioning import progress
from venue_access.provisioning.reporter import Reporter
from venue_access.provisioning.root_module import RootModule
from venue_access.provisioning.stack import Stack, StateLocation
from venue_access.provisioning.stack_folder import accounts_in, check_state
from venue_access.provisioning.state_object import StateObject, location_of_state
from venue_access.provisioning.tags import STACK_TAG
from venue_access.provisioning.terraform import kept_in, state_file
from venue_access.provisioning.venue_snapshot import VenueSnapshot

_HERE = StateLocation()


def migrate(settings: Settings, stack: Stack, aws: AwsClient, reporter: Reporter) -> str:
    """Move a stack's state to where the inventory has it now, from where it was on this machine's last run.

    A run that is killed is completed by the next: the state is taken away only once it is at its new place.

    :returns: what was done.
    :raises UsageError: there is no state here to move, or another one stands at the new place.
    :raises StateLocked: somebody else works on either.
    """
    root = RootModule(settings, stack, aws, waiting=reporter.line)
    wanted = stack.state_location
    with root.locked():
        there = location_of_state(root.folder)
        if there is None:
            raise UsageError(
                f"stack {stack.name}: this machine has no state of it to move",
                hint="run it where the stack was provisioned; or have what exists imported by: invoke provision",
            )
        if there == wanted:
            return f"{stack.name}: its state is in {wanted} already"
        source, target = (None if place == _HERE else StateObject(stack, place, aws) for place in (there, wanted))
        with source.locked() if source else nullcontext(), target.locked() if target else nullcontext():
            state = source.read() if source else state_file(root.folder) or {}
            if state:
                check_state(stack, state)
                _copy(root, state, target, wanted)
            moved = target.read() if target else state_file(root.folder)
            if source:
                source.remove()
            else:
                root.set_state_aside()
        root.now_in(wanted)
    if not moved:
        return f"{stack.name}: there was no state in {there}; the next provision imports what exists, into {wanted}"
    return f"{stack.name}: its state is in {wanted} now"


def _copy(root: RootModule, state: Mapping[str, Any], target: StateObject | None, wanted: StateLocation) -> None:
    there = target.read() if target else state_file(root.folder) or {}
    if not there:
        if target:
            target.create(state)
        else:
            write_private(root.folder / "terraform.tfstate", json.dumps(state))
    elif _version(there) != _version(state):
        raise UsageError(
            f"stack {root.stack.name}: another state of it is in {wanted} already, and nothing is overwritten",
            hint="remove the one that is wrong by hand; what it alone knew is imported by the next provision",
        )


def _version(state: Mapping[str, Any]) -> tuple[Any, Any]:
    return state.get("lineage"), state.get("serial")


def forget(settings: Settings, stack: Stack, venue: Venue, aws: AwsClient, reporter: Reporter) -> int:
    """Take a venue out of a stack's state, leaving everything of it in AWS; how many resources that were.

    :raises UsageError: this machine has no state of that stack.
    """
    local = stack.state.bucket is None
    if local and not (settings.work_directory / "stacks" / stack.name).is_dir():
        raise UsageError(f"this machine has no state of a stack {stack.name}")
    root = RootModule(settings, stack, aws, waiting=reporter.line)
    with root.locked():
        if not root.is_rendered():
            root.write_for(buckets={}, external_ids={})
        known = root.addresses()
        mine = {each for each in known if progress.venue_of(each)[0] == venue.name}
        if mine:
            root.terraform().forget(module_of(venue.name))
        if local and known == mine:
            root.remove()
    return len(mine)


def refuse_moved(settings: Settings, stack: Stack, venue: Venue, live: VenueSnapshot, aws: AwsClient) -> None:
    """Refuse to import a venue into a stack while another stack's state holds it, which would destroy it some day.

    :raises UsageError: one does; with the way to move it.
    """
    other = _holder(settings, stack, venue, live, aws)
    if other is not None:
        message, hint = moving(venue.name, stack.name, other)
        raise UsageError(message, hint=hint)


def moving(name: str, stack: str, holder: str) -> tuple[str, str]:
    """That a venue's stack changed, and how to move it."""
    return (
        f"{name}: the inventory has it in stack {stack}, but the state of stack {holder} holds it",
        f"move it, with nothing destroyed: invoke state.rm --venue {name} --stack {holder}; then:"
        f" invoke provision --venue {name}",
    )


def _holder(settings: Settings, stack: Stack, venue: Venue, live: VenueSnapshot, aws: AwsClient) -> str | None:
    for folder in sorted((settings.work_directory / "stacks").iterdir()):
        if folder.name != stack.name and _has(_peek(folder), venue, stack):
            return folder.name
    tagged = "" if live.role is None else live.role.tags.get(STACK_TAG, "")
    if stack.state.bucket is not None and tagged not in ("", stack.name):
        other = Stack(tagged, (replace(venue, stack=tagged),))
        if _has(StateObject(other, other.state_location, aws).read(), venue, stack):
            return tagged
    return None


def _peek(folder: Path) -> dict[str, Any]:
    """Another stack's local state; nothing where Terraform is writing it just now."""
    try:
        state = json.loads((folder / "terraform.tfstate").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def _has(state: Mapping[str, Any], venue: Venue, stack: Stack) -> bool:
    """Return whether a state holds this very venue, and not one of that name in another account."""
    named = any(progress.venue_of(each)[0] == venue.name for each in kept_in(state).addresses)
    return named and all(each.agrees_with(stack) for each in accounts_in(state))


def module_of(name: str) -> str:
    """The address of a venue's module."""
    return f"module.venue[{json.dumps(name)}]"
