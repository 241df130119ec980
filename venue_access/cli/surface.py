"""The command surface: the table of all commands, and the collection of them that Invoke runs."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from importlib import import_module

from invoke.collection import Collection

from venue_access import sensitive

COMMANDS = {
    "account": (
        *("account.list", "account.mfa", "account.profile", "account.role-token"),
        *("account.unset", "account.use", "account.whoami"),
    ),
    "console_url": ("console-url",),
    "inventory": (
        *("inventory.check", "inventory.graph", "inventory.host", "inventory.init"),
        *("inventory.list", "inventory.names", "inventory.provisioned", "inventory.schema"),
    ),
    "ledger": ("ledger.head", "ledger.verify", "tokens"),
    "maintenance": (
        *("doctor", "local.down", "local.status", "local.up"),
        *("state.force-unlock", "state.migrate", "state.rm"),
    ),
    "tokens": ("exec", "external-id.send", "issue-token", "revoke-token"),
    "venues": ("deprovision", "drift", "operator-policy", "provision", "rotate-external-id", "status", "verify"),
}
"""The commands, by module of this package: ``account.role-token`` is the function ``account_role_token`` there."""

sensitive.redact_debug_log("invoke", ("code", "external-id", "reason", "token"), sys.argv)
# Here, and not in the modules of the commands: Invoke logs the command line before they are loaded.

_LISTING = re.compile(r"--(complete|list)|-[^-]*l")  # -l also as one of several: -el


def collection(argv: Sequence[str]) -> Collection:
    """Return the commands that a command line names, so that a run imports only their modules.

    If the command line does not begin with a command, or lists the commands, all are returned.
    """
    named = {word.replace("_", "-") for argument in argv[1:] for word in argument.split("=")}
    begins = any(argv[1:2] == [name] for names in COMMANDS.values() for name in names)
    some = begins and not any(map(_LISTING.match, argv[1:]))
    found = Collection()
    for module, names in COMMANDS.items():
        if some and named.isdisjoint(names):
            continue
        functions = import_module(f"venue_access.cli.{module}")
        for name in names:
            group, _, last = name.rpartition(".")
            if group and group not in found.collections:
                found.add_collection(Collection(group))
            members = found.collections[group] if group else found
            members.add_task(getattr(functions, re.sub("[.-]", "_", name)), name=last)
    return found
