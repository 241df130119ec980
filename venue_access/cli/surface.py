"""The command surface: the collection of all commands."""

from __future__ import annotations

from invoke.collection import Collection

from venue_access.cli import account, inventory, ledger, maintenance, tokens, venues
from venue_access.cli import console_url as console

namespace = Collection(
    *(venues.provision, venues.drift, venues.deprovision, venues.rotate_external_id, venues.status, venues.verify),
    *(venues.operator_policy, tokens.issue_token, tokens.revoke_token, console.console_url, ledger.tokens),
    maintenance.doctor,
)
for group, commands in {
    "account": (
        *(account.account_list, account.account_use, account.account_mfa, account.account_whoami),
        *(account.account_role_token, account.account_unset, account.account_profile),
    ),
    "external-id": (tokens.external_id_send,),
    "ledger": (ledger.ledger_verify, ledger.ledger_head),
    "inventory": (
        *(inventory.inventory_list, inventory.inventory_host, inventory.inventory_graph),
        *(inventory.inventory_names, inventory.inventory_provisioned),
        *(inventory.inventory_check, inventory.inventory_schema),
    ),
    "state": (maintenance.state_migrate, maintenance.state_rm, maintenance.state_force_unlock),
    "local": (maintenance.local_up, maintenance.local_down, maintenance.local_status),
}.items():
    namespace.add_collection(Collection(group, *commands))
