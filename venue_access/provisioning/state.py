"""The state in the folder of a stack and of which account it is, and what exists in AWS beside it, to be imported.

A venue that was set up by hand, or whose state is lost, is imported instead of created. A role is not imported where
that would replace it, remove its permissions boundary, or take it from another stack's state.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from venue_access.aws.client import AwsClient
from venue_access.config import Settings
from venue_access.errors import UsageError
from venue_access.files import write_private_if_changed
from venue_access.inventory.model import Venue
from venue_access.provisioning.render import DATA_FILE, Import, managed_resources
from venue_access.provisioning.results import venue_of
from venue_access.provisioning.stack import STACK_TAG, Stack, parse_state, resources_in
from venue_access.provisioning.venue_snapshot import VenueSnapshot

_ACCOUNT = "account.json"


def state_file(folder: Path) -> dict[str, Any] | None:
    """Return a stack's local state; None if there is none, or if it is truncated.

    Terraform writes it in place, so a kill at the wrong moment truncates it. It is then set aside, and what exists in
    AWS is imported.
    """
    path = folder / "terraform.tfstate"
    try:
        state = parse_state(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    if state is None:
        path.replace(path.with_name("terraform.tfstate.unreadable"))
    return state


# Two inventories may name the same stack: in one work directory, or with one key in S3, their states would become one.
# So the folder and the state of a stack are refused for another account.


@dataclass(frozen=True)
class StackAccount:
    """An account and region at AWS, or at another endpoint, where the same number is another account."""

    account_id: str
    region: str
    endpoint: str | None = None
    """``Venue.endpoint_name``."""

    @classmethod
    def of(cls, stack: Stack) -> StackAccount:
        """Return the account that the inventory gives a stack."""
        return cls(stack.account_id, stack.region, stack.venues[0].endpoint_name)

    def agrees_with(self, stack: Stack) -> bool:
        """Return whether this is the stack's account, and its region unless empty: ARNs of IAM have none."""
        return self.account_id == stack.account_id and self.region in ("", stack.region)

    def __str__(self) -> str:
        where = f" in {self.region}" if self.region else ""
        return f"account {self.account_id}{where}{'' if self.endpoint is None else f' at {self.endpoint}'}"


def accounts_in(state: Mapping[str, Any]) -> list[StackAccount]:
    """Return the accounts and regions in the ARNs of a state's resources."""
    found = set()
    for resource in state.get("resources", ()):
        for instance in resource["instances"] if resource["mode"] == "managed" else ():
            attributes = instance.get("attributes")
            fields = str(attributes.get("arn", "") if isinstance(attributes, dict) else "").split(":")
            if len(fields) > 5 and fields[4].isdigit():
                found.add(StackAccount(fields[4], fields[3]))
    return sorted(found, key=str)


def check_state(stack: Stack, state: Mapping[str, Any]) -> None:
    """Check that a state holds resources of the stack's account and region only.

    :raises UsageError: it holds others.
    """
    other = next((account for account in accounts_in(state) if not account.agrees_with(stack)), None)
    if other is not None:
        raise UsageError(
            f"stack {stack.name}: its state, in {stack.state_location}, holds resources of {other}, and the"
            f" inventory has the stack in {StackAccount.of(stack)}",
            hint="use a state for each inventory: another work directory (INVOKE_WORKDIR), or another bucket or"
            " key_prefix in state",
        )


def record_account(folder: Path, stack: Stack) -> None:
    """Record the account and region of a stack in its folder."""
    write_private_if_changed(folder / _ACCOUNT, json.dumps(asdict(StackAccount.of(stack))) + "\n")


def check_folder(folder: Path, stack: Stack) -> None:
    """Check that a stack's folder belongs to the stack's account, region and endpoint.

    The folder of an earlier release has no record: its local state counts, or else what was last rendered in it.

    :raises UsageError: it belongs to another.
    """
    wanted, recorded = StackAccount.of(stack), None
    with suppress(OSError, ValueError, TypeError):
        recorded = StackAccount(**json.loads((folder / _ACCOUNT).read_text(encoding="utf-8")))
    if recorded is None:
        unrecorded: list[StackAccount] = []
        with suppress(OSError):
            unrecorded = accounts_in(parse_state((folder / "terraform.tfstate").read_bytes()) or {})
        if not unrecorded:
            with suppress(OSError, ValueError, LookupError, TypeError):
                rendered = json.loads((folder / DATA_FILE).read_text(encoding="utf-8"))
                unrecorded = [StackAccount(rendered["account_id"], rendered["region"])]
        recorded = next((other for other in unrecorded if not other.agrees_with(stack)), wanted)
    if recorded != wanted:
        raise UsageError(
            f"stack {stack.name}: {folder} belongs to {recorded}, and the inventory has the stack in {wanted}",
            hint="use a work directory for each inventory: set INVOKE_WORKDIR. If the stack has moved, move that"
            " folder aside: provision imports what exists",
        )


def imports_for(
    settings: Settings,
    stack: Stack,
    aws: AwsClient,
    known: frozenset[str],
    snapshots: Mapping[str, VenueSnapshot],
    venue: Venue,
) -> list[Import]:
    """Return the objects of a venue to import.

    :param known: the addresses in the stack's state.
    :param snapshots: by venue.
    :raises UsageError: the role must not be imported as the inventory describes it, or another stack's state has it.
    """
    snapshot = snapshots[venue.name]
    found = missing_from_state(aws, venue, snapshot, known)
    if managed_resources(venue)[0] in found:  # the role
        check_importable(venue, snapshot)
        check_no_other_stack(settings, stack, venue, snapshot, aws)
    return found


def missing_from_state(aws: AwsClient, venue: Venue, snapshot: VenueSnapshot, known: frozenset[str]) -> list[Import]:
    """Return the objects of a venue that exist in AWS and whose addresses are not ``known`` to the state."""
    attached: frozenset[str] | None = None
    found = []
    for resource in managed_resources(venue):
        if resource.address in known:
            continue
        kind = resource.address.split(".")[-2]
        if kind == "aws_ssm_parameter":
            exists = snapshot.parameter is not None
        elif kind == "aws_iam_policy":
            exists = aws.managed_policy_exists(resource.id)
        elif kind == "aws_iam_role" or snapshot.role is None:  # a missing role has no attachments
            exists = snapshot.role is not None
        else:
            if attached is None:
                attached = aws.attached_policies(venue.role_name)
            exists = resource.id.split("/", 1)[1] in attached
        if exists:
            found.append(resource)
    return found


def check_importable(venue: Venue, snapshot: VenueSnapshot) -> None:
    """Check that an import leaves a role's path and permissions boundary as they are.

    :raises UsageError: the role has another path (it would be replaced), or a permissions boundary that the inventory
        does not name (it would be removed).
    """
    role = snapshot.role
    if role is None:
        return
    if role.path != venue.role_path:
        raise UsageError(
            f"{venue.name}: the role {venue.role_name} exists already, with the path {role.path}",
            hint=f"set role_path: {role.path}",
        )
    boundary = role.permissions_boundary_arn
    if boundary is not None and venue.permissions_boundary is None:
        named = boundary.split(":policy/", 1)[1] if f":{venue.account_id}:" in boundary else boundary
        raise UsageError(
            f"{venue.name}: the role {venue.role_name} has the permissions boundary {boundary}, which the inventory"
            " does not name",
            hint=f"set permissions_boundary: {named}",
        )


def check_no_other_stack(
    settings: Settings, stack: Stack, venue: Venue, snapshot: VenueSnapshot, aws: AwsClient
) -> None:
    """Check that no other stack's state has the venue: that stack would later destroy it.

    :raises UsageError: one has; the hint says how to move the venue.
    """
    for name, state in _other_states(settings, stack, venue, snapshot, aws):
        has_venue = any(venue_of(each)[0] == venue.name for each in resources_in(state).addresses)
        # A venue of the same name in another account is another venue.
        if has_venue and all(each.agrees_with(stack) for each in accounts_in(state)):
            message, hint = moving(venue.name, stack.name, name)
            raise UsageError(message, hint=hint)


def moving(name: str, stack: str, other: str) -> tuple[str, str]:
    """Return message and hint for a venue that the inventory has moved to ``stack`` from the ``other`` stack."""
    return (
        f"{name}: the inventory has it in stack {stack}, but it is in the state of stack {other}",
        f"move it, with nothing destroyed: invoke state.rm --venue {name} --stack {other}; then:"
        f" invoke provision --venue {name}",
    )


def _other_states(
    settings: Settings, stack: Stack, venue: Venue, snapshot: VenueSnapshot, aws: AwsClient
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the local states of other stacks, and the one in S3 of the stack that the venue's role is tagged with."""
    for file in sorted((settings.work_directory / "stacks").glob("*/terraform.tfstate")):
        state = None
        with suppress(OSError):
            state = parse_state(file.read_bytes())
        if state is not None and file.parent.name != stack.name:  # None while Terraform is writing it
            yield file.parent.name, state
    tagged = "" if snapshot.role is None else snapshot.role.tags.get(STACK_TAG, "")
    if stack.state.bucket is not None and tagged not in ("", stack.name):
        from venue_access.provisioning.state_object import StateObject  # rarely needed

        other = Stack(tagged, (replace(venue, stack=tagged),))
        yield tagged, StateObject(other, other.state_location, aws).read()
