"""Which account and region a stack's folder and state belong to: they are refused for another.

Two inventories may name the same stack. In one work directory, or with one key in S3, their states would become one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from venue_access.errors import UsageError
from venue_access.files import write_private_if_changed
from venue_access.provisioning.render import DATA_FILE
from venue_access.provisioning.stack import Stack

_RECORD = "account.json"


@dataclass(frozen=True)
class StackAccount:
    """An account and region at AWS, or at another endpoint, where the same number is another account."""

    account_id: str
    region: str
    endpoint: str | None = None
    """``Venue.endpoint_name``."""

    @classmethod
    def of(cls, stack: Stack) -> StackAccount:
        """Return what the inventory says of a stack."""
        return cls(stack.account_id, stack.region, stack.venues[0].endpoint_name)

    def agrees_with(self, stack: Stack) -> bool:
        """Return whether it is the stack's account, and region if it has one: IAM has none."""
        return self.account_id == stack.account_id and self.region in ("", stack.region)

    def __str__(self) -> str:
        where = f" in {self.region}" if self.region else ""
        return f"account {self.account_id}{where}{'' if self.endpoint is None else f' at {self.endpoint}'}"


def record_account(folder: Path, stack: Stack) -> None:
    """Record in a stack's folder what it belongs to."""
    write_private_if_changed(folder / _RECORD, json.dumps(asdict(StackAccount.of(stack))) + "\n")


def check_folder(folder: Path, stack: Stack) -> None:
    """Refuse a stack's folder that belongs to another account, region or endpoint.

    A folder of an earlier release has no record: its local state counts then, or else what was last rendered in it.

    :raises UsageError: it does.
    """
    wanted, recorded = StackAccount.of(stack), _recorded(folder)
    if recorded is None:
        recorded = next((other for other in _unrecorded(folder) if not other.agrees_with(stack)), wanted)
    if recorded != wanted:
        raise UsageError(
            f"stack {stack.name}: {folder} belongs to {recorded}, and the inventory has the stack in {wanted}",
            hint="two inventories need a work directory each: set INVOKE_WORKDIR. If the stack has moved, move that"
            " folder aside: provision imports what exists",
        )


def check_state(stack: Stack, state: Mapping[str, Any]) -> None:
    """Refuse a state that holds resources of another account or region.

    :raises UsageError: it does.
    """
    for account in accounts_in(state):
        if not account.agrees_with(stack):
            raise UsageError(
                f"stack {stack.name}: its state, in {stack.state_location}, holds resources of {account}, and the"
                f" inventory has the stack in {StackAccount.of(stack)}",
                hint="two inventories need a state each: another work directory (INVOKE_WORKDIR), or another bucket or"
                " key_prefix in state",
            )


def accounts_in(state: Mapping[str, Any]) -> list[StackAccount]:
    """Return the accounts that the ARNs in a state name, and the regions, which are empty for IAM."""
    return sorted(set(_accounts(state)), key=str)


def _accounts(state: Mapping[str, Any]) -> Iterator[StackAccount]:
    for resource in state.get("resources", ()):
        for instance in resource["instances"] if resource["mode"] == "managed" else ():
            attributes = instance.get("attributes")
            fields = str(attributes.get("arn", "") if isinstance(attributes, dict) else "").split(":")
            if len(fields) > 5 and fields[4].isdigit():
                yield StackAccount(fields[4], fields[3])


def _recorded(folder: Path) -> StackAccount | None:
    with suppress(OSError, ValueError, TypeError):
        return StackAccount(**json.loads((folder / _RECORD).read_text(encoding="utf-8")))
    return None


def _unrecorded(folder: Path) -> list[StackAccount]:
    with suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
        found = accounts_in(json.loads((folder / "terraform.tfstate").read_text(encoding="utf-8")))
        if found:
            return found
    with suppress(OSError, ValueError, LookupError, TypeError):
        rendered = json.loads((folder / DATA_FILE).read_text(encoding="utf-8"))
        return [StackAccount(rendered["account_id"], rendered["region"])]
    return []
