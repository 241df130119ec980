"""The commands ``doctor``, ``state.*`` and ``local.*``."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from invoke.context import Context

from venue_access import console
from venue_access.cli.command import command, configured, dry, open_app, reporting
from venue_access.errors import UsageError


@command()
def doctor(
    context: Context,
    venue: str | None = None,
    limit: str | None = None,
    json: bool = False,
    inventory: str | None = None,
) -> None:
    """Check Python, Terraform, credentials, clock, inventory and file modes, and print remedies."""
    from venue_access.doctor.checks import conclude
    from venue_access.doctor.doctor import examine

    home = Path(os.environ.get("HOME") or Path.home())
    checks = examine(configured(context, inventory), venue, limit, os.environ, home)
    if json:
        console.result_json({"checks": [check.document() for check in checks]})
    else:
        console.result("\n".join(check.line() for check in checks))
    conclude(checks)


@command(timeout=None)
def state_migrate(
    context: Context, venue: str | None = None, limit: str | None = None, inventory: str | None = None
) -> None:
    """Move the state of a venue's stack to the inventory's location: from this machine to S3, or back."""
    from venue_access.provisioning.stack import stack_of
    from venue_access.provisioning.state_migration import migrate

    app = open_app(context, inventory)
    stacks = {each.stack: stack_of(app.venues, each) for each in app.chosen(venue, limit)}
    for stack in stacks.values():
        if not dry(context, f"move the state of stack {stack.name} to {stack.state_location}"):
            with reporting() as report:
                done = migrate(app.settings, stack, app.aws(stack.venues[0]), report)
            console.result(done)


@command(timeout=None, stack="remove the venue from the state of this stack")
def state_rm(context: Context, venue: str, stack: str, inventory: str | None = None) -> None:
    """Remove a venue from a stack's state, not from AWS; provisioning another stack imports it."""
    from venue_access.inventory.validators import InvalidValue, folder_name
    from venue_access.provisioning.stack import Stack, stack_of
    from venue_access.provisioning.state_migration import remove_from_state

    try:
        folder_name(stack)
    except InvalidValue as error:
        raise UsageError(f"--stack: {error}") from error
    app = open_app(context, inventory)
    chosen = app.venue(venue)
    member = next((each for each in app.venues.values() if each.stack == stack), None)
    old = Stack(stack, (replace(chosen, stack=stack),)) if member is None else stack_of(app.venues, member)
    if dry(context, f"remove {chosen.name} from the state of stack {stack}"):
        return
    with reporting() as report:
        count = remove_from_state(app.settings, old, chosen, app.aws(old.venues[0]), report)
    removed = f"{chosen.name}: {count} resources removed from the state of stack {stack}; they stay in AWS"
    console.result(removed if count else f"{chosen.name}: not in the state of stack {stack}")


@command(lock="delete the lock with this ID, which the error message names")
def state_force_unlock(context: Context, venue: str, lock: str, inventory: str | None = None) -> None:
    """Delete the state lock of a venue's stack that a killed run left."""
    from venue_access.provisioning.root_module import location_of_state
    from venue_access.provisioning.stack import stack_of
    from venue_access.provisioning.state import check_folder
    from venue_access.provisioning.state_object import StateObject

    app = open_app(context, inventory)
    chosen = app.venue(venue)
    stack = stack_of(app.venues, chosen)
    folder = app.settings.work_directory / "stacks" / stack.name
    check_folder(folder, stack)
    # A state that was being moved is also locked in its old place.
    both = dict.fromkeys((stack.state_location, location_of_state(folder)))
    places = [place for place in both if place is not None and place.bucket]
    if not places:
        raise UsageError(
            f"{chosen.name}: its state is on this machine, where a lock ends with the process that holds it",
            hint="find that process with: ps aux | grep terraform",
        )
    if dry(context, f"remove the lock {lock} from {' and '.join(map(str, places))}"):
        return
    removed = (StateObject(stack, place, app.aws(chosen)).unlock(lock) for place in places)
    held = next(filter(None, removed), None)
    console.result(f"{stack.name}: {'its state is not locked' if held is None else f'removed the lock of {held}'}")


@command(timeout=None)
def local_up(context: Context, inventory: str | None = None) -> None:
    """Start the AWS emulator, and create the resources that the inventory's accounts already have."""
    app = open_app(context, inventory)
    if dry(context, f"start the AWS emulator in {app.settings.work_directory}, unless it is up"):
        return
    if not app.accounts.start_emulator():
        console.say("the AWS emulator is already up")


@command(timeout=None)
def local_down(context: Context) -> None:
    """Stop the AWS emulator, and save its state."""
    from venue_access.emulator.server import aws_emulator

    local = aws_emulator(configured(context).work_directory)
    if context.config.run.dry:
        console.say("would stop the AWS emulator" if local.is_running() else "the AWS emulator is not up")
    else:
        console.say("stopped the AWS emulator" if local.down() else "the AWS emulator is not up")


@command(timeout=None)
def local_status(context: Context) -> None:
    """Show the endpoint of the AWS emulator, and how to use the AWS CLI with it."""
    from venue_access.emulator.server import aws_emulator

    console.result("\n".join(aws_emulator(configured(context).work_directory).describe()))
