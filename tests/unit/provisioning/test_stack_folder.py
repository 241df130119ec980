"""A stack's folder and state serve one account and region."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.stacks import a_stack, a_venue
from venue_access.errors import UsageError
from venue_access.inventory.model import StateBackend
from venue_access.provisioning.stack import Stack
from venue_access.provisioning.stack_folder import check_folder, check_state, record_account

ACCOUNT, OTHER = "111122223333", "444455556666"


def stack(**variables: Any) -> Stack:
    return a_stack(a_venue(**variables))


def a_state(account: str = ACCOUNT, region: str = "us-west-2") -> dict[str, Any]:
    """What a state says of a role, a parameter and an attachment, which has no ARN."""
    arns = [f"arn:aws:iam::{account}:role/r", f"arn:aws:ssm:{region}:{account}:parameter/p", None]
    instances = [{"attributes": {"id": "x"} if arn is None else {"arn": arn}} for arn in arns]
    return {"resources": [{"mode": "managed", "instances": instances}, {"mode": "data", "instances": [{}]}]}


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"account_id": OTHER}, f"account {ACCOUNT} in us-west-2, and the inventory has the stack in account {OTHER}"),
        ({"region": "us-east-1"}, f"the inventory has the stack in account {ACCOUNT} in us-east-1"),
        ({"emulator": True}, "in us-west-2 at the AWS emulator"),
        ({"aws_endpoint_url": "https://aws.example.org"}, "in us-west-2 at https://aws.example.org"),
    ],
)
def test_folder_is_refused_for_another_account_region_or_endpoint(
    tmp_path: Path, other: dict[str, Any], told: str
) -> None:
    record_account(tmp_path, stack())
    check_folder(tmp_path, stack(account_id=ACCOUNT, max_session_duration=7200))
    with pytest.raises(UsageError, match="belongs to account") as refused:
        check_folder(tmp_path, stack(**other))
    assert told in refused.value.message
    assert "INVOKE_WORKDIR" in str(refused.value)
    (tmp_path / "account.json").unlink()
    record_account(tmp_path, stack(**other))
    check_folder(tmp_path, stack(**other))
    with pytest.raises(UsageError):
        check_folder(tmp_path, stack())


def test_emulator_at_another_port_is_the_same(tmp_path: Path) -> None:
    record_account(tmp_path, stack(emulator=True, aws_endpoint_url="https://127.0.0.1:1"))
    check_folder(tmp_path, stack(emulator=True, aws_endpoint_url="https://127.0.0.1:2"))


@pytest.mark.parametrize("record", [None, "{", "[]", '{"account": 1}'])
def test_folder_without_a_record_is_checked_by_its_state(tmp_path: Path, record: str | None) -> None:
    """As an earlier release made it; what was rendered last counts only where there is no state."""
    check_folder(tmp_path, stack())
    if record is not None:
        (tmp_path / "account.json").write_text(record)
    rendered = tmp_path / "stack.auto.tfvars.json"
    rendered.write_text(json.dumps({"account_id": OTHER, "region": "us-west-2", "venues": {}}))
    with pytest.raises(UsageError, match=f"belongs to account {OTHER} in us-west-2,"):
        check_folder(tmp_path, stack())
    state = tmp_path / "terraform.tfstate"
    state.write_text(json.dumps(a_state()))
    check_folder(tmp_path, stack())
    for account, region in ((OTHER, "us-west-2"), (ACCOUNT, "us-east-1")):
        state.write_text(json.dumps(a_state(account, region)))
        with pytest.raises(UsageError, match="belongs to account"):
            check_folder(tmp_path, stack())
    state.write_text('{"resources": [{"mode": "managed"')  # cut off, so that the rendering counts
    check_folder(tmp_path, stack(account_id=OTHER))


def test_shared_state_is_refused_for_another_account_or_region() -> None:
    """Two machines whose inventories have one bucket and key."""
    mine = stack(state=StateBackend("s3", bucket="states"))
    check_state(mine, a_state())
    check_state(mine, {})
    for state in (a_state(OTHER), a_state(region="us-east-1")):
        with pytest.raises(UsageError, match=r"its state, in s3://states/shared/terraform.tfstate, holds resources"):
            check_state(mine, state)
