"""Commands on the inventory: show it as Ansible does, validate it, print its schema."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from invoke.context import Context

from venue_access import console
from venue_access.cli.command import command, configured, dry, open_app
from venue_access.config import checkout
from venue_access.errors import InventoryError, Problem, UsageError

if TYPE_CHECKING:
    from venue_access.inventory.groups import Inventory
    from venue_access.inventory.model import Venue


def loaded(context: Context, inventory: str | None) -> Inventory:
    """Return the inventory as Ansible reads it; its variables are not validated."""
    from venue_access.inventory.loader import load_inventory

    return load_inventory(configured(context, inventory).inventory)


@command(timeout=None)
def inventory_list(context: Context, inventory: str | None = None) -> None:
    """Print the inventory as ansible-inventory --list does."""
    from venue_access.inventory.exports import to_list

    console.result_json(to_list(loaded(context, inventory)))


@command(timeout=None, positional=["host"], host="select the venue by its name in the inventory")
def inventory_host(context: Context, host: str, inventory: str | None = None) -> None:
    """Print a venue's variables as ansible-inventory --host does."""
    from venue_access.inventory.exports import to_list

    found = loaded(context, inventory)
    if host not in found.hosts:
        raise UsageError(f"the inventory has no host {host!r}", hint=f"it has: {', '.join(found.hosts[:20])}")
    console.result_json(to_list(found)["_meta"]["hostvars"].get(host, {}))


@command(timeout=None)
def inventory_graph(context: Context, inventory: str | None = None) -> None:
    """Print the tree of groups and venues as ansible-inventory --graph does."""
    from venue_access.inventory.exports import graph

    console.result(graph(loaded(context, inventory)))


@command(timeout=None, users="print the names of recipients instead")
def inventory_names(context: Context, users: bool = False, inventory: str | None = None) -> None:
    """Print the names of the venues, one on each line, for shell completion."""
    venues = open_app(context, inventory).venues
    for name in sorted({name for venue in venues.values() for name in venue.users}) if users else venues:
        console.result(name)


@command(host="print only the variables of this venue")
def inventory_provisioned(context: Context, host: str | None = None, inventory: str | None = None) -> None:
    """Print the provisioned venues as an Ansible inventory, with their role, parameter and bucket names."""
    from venue_access.inventory.exports import to_list
    from venue_access.provisioning.results import error_messages
    from venue_access.provisioning.status import provisioned_only, venue_statuses

    app = open_app(context, inventory)
    found = venue_statuses(app.aws, list(app.venues.values()), datetime.now(timezone.utc))
    for error in error_messages([(each.venue, each.error) for each in found]):
        console.warn(error)
    document = provisioned_only(to_list(app.inventory), found)
    console.result_json(document if host is None else document["_meta"]["hostvars"].get(host, {}))


@command(timeout=None)
def inventory_check(context: Context, inventory: str | None = None) -> None:
    """Validate the inventory, recipients' keys included, and report every problem."""
    from venue_access.inventory.venues import build_venues, inventory_warnings, venue_warnings
    from venue_access.tokens.encryption.keys import key_problems

    settings = configured(context, inventory)
    problems: list[Problem] = []
    warnings: list[Problem] = []
    venues: Mapping[str, Venue] = {}
    try:
        read = loaded(context, inventory)
        problems = key_problems(read, settings.inventory_folder, datetime.now(timezone.utc))
        warnings += inventory_warnings(read)
        venues = build_venues(read)
        warnings += venue_warnings(read, venues.values())
    except InventoryError as error:
        problems = [*error.problems, *problems]
    for warning in warnings:
        console.warn(str(warning))
    if problems:
        raise InventoryError(problems, limit=len(problems))
    console.say(f"{settings.inventory}: {len(venues)} venue{'' if len(venues) == 1 else 's'}, valid")


@command(timeout=None)
def inventory_schema(context: Context) -> None:
    """Print a JSON Schema of the variables, with which editors complete and check an inventory."""
    from venue_access.inventory.exports import json_schema

    console.result_json(json_schema())


@command(
    timeout=None,
    positional=[],
    folder="create this folder (default: inventory)",
    emulator="write a venue on the AWS emulator, which needs no account",
)
def inventory_init(context: Context, folder: str = "inventory", emulator: bool = False) -> None:
    """Write a small commented inventory to start with, and a schema by which editors complete it."""
    from venue_access.files import user_path
    from venue_access.inventory.starter import write_starter

    path = user_path(folder)
    program = "venue-access" if checkout() is None else "invoke"
    if dry(context, f"write an inventory into {path}"):
        return
    write_starter(path, emulator=emulator, program=program)
    console.say(f"next: {program} inventory.check --inventory {shlex.quote(str(path))}")
    console.result(str(path))
