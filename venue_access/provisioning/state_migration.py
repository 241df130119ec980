"""Move Terraform's state of a stack between this machine and S3, and remove a venue from a stack's state.

Only the state changes, nothing else in AWS. A state is never overwritten: ``terraform init -migrate-state -force-copy``
would silently overwrite a state of another lineage.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from venue_access.aws.client import AwsClient
from venue_access.config import Settings
from venue_access.errors import UsageError
from venue_access.files import write_private
from venue_access.inventory.model import Venue
from venue_access.provisioning.results import Reporter, venue_of
from venue_access.provisioning.root_module import RootModule
from venue_access.provisioning.stack import Stack, StateLocation
from venue_access.provisioning.stack_folder import check_state, location_of_state
from venue_access.provisioning.state_object import StateObject
from venue_access.provisioning.terraform import module_of, state_file


def migrate(settings: Settings, stack: Stack, aws: AwsClient, reporter: Reporter) -> str:
    """Move a stack's state from where this machine's last run had it to where the inventory has it; return a message.

    After a kill the next run completes the move: the old state is removed only once the new one is written.

    :raises UsageError: this machine has no state to move, or there is another state in the new place.
    :raises StateLocked: either place is locked.
    """
    root = RootModule(settings, stack, aws, waiting=reporter.line)
    wanted = stack.state_location
    with root.locked():
        present = location_of_state(root.folder)
        if present is None:
            raise UsageError(
                f"stack {stack.name}: this machine has no state of it to move",
                hint="run it where the stack was provisioned; or import what exists with: invoke provision",
            )
        if present == wanted:
            return f"{stack.name}: its state is in {wanted} already"
        source, target = (
            None if place == StateLocation() else StateObject(stack, place, aws) for place in (present, wanted)
        )
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
        return f"{stack.name}: there was no state in {present}; the next provision imports what exists, into {wanted}"
    return f"{stack.name}: its state is in {wanted} now"


def _copy(root: RootModule, state: Mapping[str, Any], target: StateObject | None, wanted: StateLocation) -> None:
    present = target.read() if target else state_file(root.folder) or {}
    if not present:
        if target:
            target.create(state)
        else:
            write_private(root.folder / "terraform.tfstate", json.dumps(state))
    elif any(present.get(key) != state.get(key) for key in ("lineage", "serial")):
        raise UsageError(
            f"stack {root.stack.name}: there is another state of it in {wanted}, which is not overwritten",
            hint="delete the wrong one by hand; the next provision imports what only that one had",
        )


def remove_from_state(settings: Settings, stack: Stack, venue: Venue, aws: AwsClient, reporter: Reporter) -> int:
    """Remove a venue from a stack's state, and leave it in AWS; return the number of resources.

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
        own = {each for each in known if venue_of(each)[0] == venue.name}
        if own:
            root.terraform().remove_from_state(module_of(venue.name))
        if local and known == own:
            root.remove()
    return len(own)
