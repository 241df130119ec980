"""Two inventories that name the same host in different accounts, in one work directory."""

from __future__ import annotations

import json

import pytest

from tests.functional.kit import OTHER_ACCOUNT, Kit, emulated

COMMANDS = (
    "provision",
    "provision --check",
    "drift",
    "rotate-external-id",
    "rotate-external-id --repair",
    "deprovision --venue shared-dev --yes",
    "state.migrate",
    "state.force-unlock --venue shared-dev --lock x",
)


@pytest.mark.parametrize("has_record", [True, pytest.param(False, marks=pytest.mark.soak)])
def test_commands_refuse_the_stack_folder_of_another_inventory(
    kit: Kit, provisioned: tuple[Kit, str], has_record: bool
) -> None:
    """An earlier release made folders without a record; there the state tells."""
    owner, name = provisioned
    folder = owner.work_directory / "stacks" / name
    record = folder / "account.json"
    recorded = record.read_text()
    assert json.loads(recorded)["account_id"] != OTHER_ACCOUNT
    if not has_record:
        record.unlink()
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    theirs = emulated(name, account_id=OTHER_ACCOUNT, s3_buckets=["theirs-data"])
    for command in COMMANDS:
        own = {"state": {"backend": "s3", "bucket": "theirs-state"}} if command.startswith("state.") else {}
        kit.write_inventory({name: {**theirs, **own}})
        refused = kit(*command.split())
        assert refused.code == 2, command
        assert f"stack {name}: {folder} belongs to account" in refused.err, command
        assert f"the inventory has the stack in account {OTHER_ACCOUNT}" in refused.err, command
    kit.write_inventory({name: theirs})
    assert kit("state.rm", "--venue", name, "--stack", name).code == 2
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
    record.write_text(recorded)
