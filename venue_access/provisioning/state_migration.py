"""Move a stack's Terraform state between this machine and S3, and remove a venue from a state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from venue_access.aws.client import AwsClient
from venue_access.config import Settings
from venue_access.errors import UsageError
from venue_access.files import write_private
from venue_access.inventory.model import Venue
from venue_access.provisioning.results import Reporter, venue_of
from venue_access.provisioning.root_module import RootModule, location_of_state
from venue_access.provisioning.stack import Stack
from venue_access.provisioning.state import check_state, state_file
from venue_access.provisioning.state_object import StateObject
from venue_access.provisioning.terraform import module_of


def migrate(settings: Settings, stack: Stack, aws: AwsClient, reporter: Reporter) -> str:
    """Move a stack's state from where this machine's last run had it to where the inventory has it; return a message.

    A state is never overwritten: ``terraform init -migrate-state -force-copy`` would silently overwrite one of another
    lineage. After a kill the next run completes the move: the old state is removed only once the new one is written.

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
            _LocalState(root.folder) if location.bucket is None else StateObject(stack, location, aws)
            for location in (present, wanted)
        )
        with source.locked(), target.locked():
            state, moved = source.read(), target.read()
            if state:
                check_state(stack, state)
                if not moved:
                    target.create(state)
                    moved = target.read()
                if any(moved.get(key) != state.get(key) for key in ("lineage", "serial")):
                    raise UsageError(
                        f"stack {stack.name}: there is another state of it in {wanted}, which is not overwritten",
                        hint="delete the wrong one by hand; the next provision imports what only that one had",
                    )
            source.remove()
        root.set_moved(wanted)
    if not moved:
        return f"{stack.name}: there was no state in {present}; the next provision imports what exists, into {wanted}"
    return f"{stack.name}: its state is in {wanted} now"


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


@dataclass(frozen=True)
class _LocalState:
    """A stack's state in its folder, for which the lock of the root module is enough."""

    _folder: Path

    def read(self) -> dict[str, Any]:
        return state_file(self._folder) or {}

    def create(self, state: Mapping[str, Any]) -> None:
        write_private(self._folder / "terraform.tfstate", json.dumps(state))

    def remove(self) -> None:
        for file in self._folder.glob("terraform.tfstate*"):
            file.replace(file.with_name(f"moved.{file.name}"))

    def locked(self) -> AbstractContextManager[None]:
        return nullcontext()
