"""The command surface: every command under its name; they are made in ``venue_access/commands/``."""

from __future__ import annotations

from invoke.collection import Collection

from venue_access.commands import console, inventory, ledger, local, tokens, venues

namespace = Collection(
    *(venues.provision, venues.deprovision, venues.rotate_external_id, venues.status, venues.verify),
    *(venues.operator_policy, tokens.issue_token, tokens.revoke_token, console.console_url, ledger.tokens),
)
for room, commands in {
    "external-id": (tokens.external_id_send,),
    "ledger": (ledger.ledger_verify, ledger.ledger_head),
    "inventory": (inventory.inventory_list, inventory.inventory_host, inventory.inventory_graph),
    "local": (local.local_up, local.local_down, local.local_status),
}.items():
    namespace.add_collection(Collection(room, *commands))
