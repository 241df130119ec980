"""The inventory, as Ansible shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke.context import Context

from venue_access import console
from venue_access.cli.command import command, configured, open_app
from venue_access.errors import UsageError

if TYPE_CHECKING:
    from venue_access.inventory.groups import Inventory


def loaded(context: Context, inventory: str | None) -> Inventory:
    """The inventory as Ansible reads it, whatever its variables would be worth as a venue's."""
    from venue_access.inventory.loader import load_inventory

    return load_inventory(configured(context, inventory).inventory)


@command(called="list", timeout=None)
def inventory_list(context: Context, inventory: str | None = None) -> None:
    """Print the inventory as ansible-inventory --list does."""
    console.result_json(loaded(context, inventory).to_list())


@command(called="host", timeout=None, positional=["host"], host="select the venue by its name in the inventory")
def inventory_host(context: Context, host: str, inventory: str | None = None) -> None:
    """Print a venue's variables as ansible-inventory --host does."""
    found = loaded(context, inventory)
    if host not in found.hosts:
        raise UsageError(f"the inventory has no host {host!r}", hint=f"it has: {', '.join(found.hosts[:20])}")
    console.result_json(found.to_list()["_meta"]["hostvars"].get(host, {}))


@command(called="graph", timeout=None)
def inventory_graph(context: Context, inventory: str | None = None) -> None:
    """Print the tree of groups and venues as ansible-inventory --graph does."""
    console.result(loaded(context, inventory).graph())


@command(called="names", timeout=None, users="print the names of recipients instead")
def inventory_names(context: Context, users: bool = False, inventory: str | None = None) -> None:
    """Print the names of the venues, one on each line, for shell completion."""
    venues = open_app(context, inventory).venues
    names = {name for venue in venues.values() for name in venue.users} if users else venues
    for name in sorted(names) if users else names:
        console.result(name)


@command(called="provisioned", host="print only the variables of this venue")
def inventory_provisioned(context: Context, host: str | None = None, inventory: str | None = None) -> None:
    """Print the provisioned venues as an Ansible inventory, with their role, parameter and bucket names."""
    from datetime import datetime, timezone

    from venue_access.provisioning.results import error_messages
    from venue_access.provisioning.status import provisioned_only, venue_statuses

    app = open_app(context, inventory)
    found = venue_statuses(app.aws, list(app.venues.values()), datetime.now(timezone.utc))
    for error in error_messages([(each.venue, each.error) for each in found]):
        console.warn(error)
    document = provisioned_only(app.inventory.to_list(), found)
    console.result_json(document if host is None else document["_meta"]["hostvars"].get(host, {}))
