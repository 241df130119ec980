"""What a stack's state holds, the account that its folder and state serve, and what is imported beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.stacks import a_stack, a_venue
from tests.unit.provisioning.test_venue_snapshot import a_parameter, a_role
from venue_access.aws.client import AwsClient
from venue_access.errors import UsageError
from venue_access.inventory.model import StateBackend
from venue_access.provisioning.render import managed_resources
from venue_access.provisioning.stack import Stack, StateResources, resources_in
from venue_access.provisioning.state import (
    check_folder,
    check_importable,
    check_state,
    missing_from_state,
    record_account,
    state_file,
)
from venue_access.provisioning.venue_snapshot import VenueSnapshot

ROLE = 'module.venue["unity-dev"].aws_iam_role.this'
ACCOUNT, OTHER = "111122223333", "444455556666"
BOUNDARY = "arn:aws:iam::111122223333:policy/platform/boundary"


def a_state_of(*instances: dict[str, Any], **resource: Any) -> dict[str, Any]:
    """A state of one resource (state format version 4), less what is not read."""
    described = {"mode": "managed", "type": "aws_iam_role", "name": "this", "instances": list(instances), **resource}
    return {"version": 4, "serial": 3, "resources": [described]}


def test_state_addresses_are_those_of_its_instances() -> None:
    assert resources_in({}) == StateResources()
    assert resources_in(a_state_of({})).addresses == {"aws_iam_role.this"}
    assert resources_in(a_state_of({}, module='module.venue["unity-dev"]')).addresses == {ROLE}
    keyed = a_state_of({"index_key": "s3"}, {"index_key": 1}, type="aws_iam_policy")
    assert resources_in(keyed).addresses == {'aws_iam_policy.this["s3"]', "aws_iam_policy.this[1]"}
    assert resources_in(a_state_of({}, mode="data")) == StateResources()


@pytest.mark.parametrize(
    "text", [b"", b'{"version": 4, "resour', b"\x00", b'{"tag": "\xc3', b"[]", b"null", b'{"resources": [{}]}']
)
def test_truncated_state_is_set_aside(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "terraform.tfstate").write_bytes(text)
    assert state_file(tmp_path) is None
    assert (tmp_path / "terraform.tfstate.unreadable").read_bytes() == text
    assert state_file(tmp_path) is None  # there is none


def test_directory_instead_of_a_state_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "terraform.tfstate").mkdir()
    with pytest.raises(UsageError, match=r"cannot read .*terraform.tfstate: is a directory"):
        state_file(tmp_path)


def test_complete_state_is_read(tmp_path: Path) -> None:
    (tmp_path / "terraform.tfstate").write_text(json.dumps(a_state_of({})))
    assert state_file(tmp_path) == a_state_of({})


# -- the account of a folder and a state


def stack(**variables: Any) -> Stack:
    return a_stack(a_venue(**variables))


def a_state(account: str = ACCOUNT, region: str = "us-west-2") -> dict[str, Any]:
    """What a state says of a role, a parameter and an attachment, which has no ARN."""
    arns = [f"arn:aws:iam::{account}:role/r", f"arn:aws:ssm:{region}:{account}:parameter/p", None]
    instances = [{"attributes": {"id": "x"} if arn is None else {"arn": arn}} for arn in arns]
    return a_state_of(*instances)


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


# -- imports


class Account(AwsClient):
    """An account with these managed policies, attached to the role or not, that counts calls."""

    def __init__(self, *policies: str, attached: tuple[str, ...] = ()) -> None:
        super().__init__(region="us-west-2")
        self.asked = 0
        self._policies, self._attached = policies, attached

    def managed_policy_exists(self, arn: str) -> bool:
        self.asked += 1
        return arn in self._policies

    def attached_policies(self, role_name: str) -> frozenset[str]:
        self.asked += 1
        return frozenset(self._attached)


def test_known_addresses_are_not_looked_up() -> None:
    venue, account = a_venue(), Account()
    known = frozenset(each.address for each in managed_resources(venue))
    assert missing_from_state(account, venue, VenueSnapshot(a_role(), a_parameter()), known) == []
    assert account.asked == 0


def test_existing_objects_missing_from_the_state_are_imported() -> None:
    venue = a_venue()
    s3, ecr = venue.policy_arn("s3"), venue.policy_arn("ecr")
    account = Account(s3, ecr, attached=(s3, "arn:aws:iam::111122223333:policy/somebodys"))
    found = missing_from_state(account, venue, VenueSnapshot(a_role(), None), frozenset())
    assert [each.id for each in found] == [venue.role_name, s3, ecr, f"{venue.role_name}/{s3}"]
    assert account.asked == 3


def test_missing_role_has_no_attachments() -> None:
    venue, account = a_venue(), Account()
    found = missing_from_state(account, venue, VenueSnapshot(None, a_parameter()), frozenset())
    assert [each.id for each in found] == [venue.external_id_parameter]
    assert account.asked == 2


def test_role_with_another_path_or_boundary_is_not_imported() -> None:
    with pytest.raises(UsageError, match="exists already, with the path /teams/\n  set role_path: /teams/"):
        check_importable(a_venue(), VenueSnapshot(a_role(path="/teams/"), None))
    with pytest.raises(UsageError, match="set permissions_boundary: platform/boundary"):
        check_importable(a_venue(), VenueSnapshot(a_role(permissions_boundary_arn=BOUNDARY), None))
    foreign = "arn:aws:iam::aws:policy/PowerUserAccess"
    with pytest.raises(UsageError, match=f"set permissions_boundary: {foreign}"):
        check_importable(a_venue(), VenueSnapshot(a_role(permissions_boundary_arn=foreign), None))
    check_importable(
        a_venue(permissions_boundary="other"), VenueSnapshot(a_role(permissions_boundary_arn=BOUNDARY), None)
    )
