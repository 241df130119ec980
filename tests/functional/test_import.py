"""What exists already is brought in as it is: made by hand, or made by the kit whose state was lost."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from tests.functional.kit import ACCOUNT, Kit, emulated
from tests.functional.provisioning import REST, iam_documents, live_ids, parameter_of, role_of
from venue_access.aws.parameters import overwrite_parameter
from venue_access.sensitive import ExternalId

BY_HAND = "made-by-hand:2024"
SOMEBODYS_POLICY = f"arn:aws:iam::{ACCOUNT}:policy/somebodys"


def make_by_hand(kit: Kit, name: str, *, path: str = "/", boundary: str | None = None) -> None:
    """A venue as an administrator made it: a trust policy without Sids, policies of somebody else's, a plain String."""
    root, role = kit.root(), role_of(name)
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": BY_HAND}},
    }
    own: dict[str, Any] = {} if boundary is None else {"PermissionsBoundary": boundary}
    trust = json.dumps({"Version": "2012-10-17", "Statement": statement})
    root.call("iam", "create_role", RoleName=role, Path=path, AssumeRolePolicyDocument=trust, **own)
    nothing = {"Effect": "Deny", "Action": "sqs:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [nothing]})
    root.ensure("iam", "create_policy", PolicyName="somebodys", PolicyDocument=document)
    root.call("iam", "attach_role_policy", RoleName=role, PolicyArn=SOMEBODYS_POLICY)
    root.call("iam", "put_role_policy", RoleName=role, PolicyName="inline", PolicyDocument=document)
    root.call("ssm", "put_parameter", Name=parameter_of(name), Value=BY_HAND, Type="String")


def test_imported_venue_keeps_external_id_and_other_policies(kit: Kit, venue: str) -> None:
    kit.done("local.up")
    make_by_hand(kit, venue)
    was = kit.root().role(role_of(venue))
    assert was is not None

    result = kit.done("provision", "--diff")
    assert f"{venue}: importing aws_iam_role.this, which exists already" in result.err
    assert result.out == f"{venue} : ok=9 changed=6 {REST}\n"
    assert BY_HAND not in result.err + result.out
    role = kit.root().role(role_of(venue))
    assert role is not None
    assert role.role_id == was.role_id
    assert live_ids(kit, venue) == {BY_HAND}
    assert SOMEBODYS_POLICY in kit.root().attached_policies(role_of(venue))
    assert kit.root().call("iam", "list_role_policies", RoleName=role_of(venue))["PolicyNames"] == ["inline"]
    found = kit.root().call("ssm", "get_parameter", Name=parameter_of(venue))["Parameter"]
    assert (found["Type"], found["Version"]) == ("String", 1)
    assert "; its SSM parameter is a String\n" in kit.done("status").out


@pytest.mark.soak
def test_manual_venue_is_imported_once_and_deprovisioned(kit: Kit, venue: str) -> None:
    kit.done("local.up")
    make_by_hand(kit, venue)
    was = kit.root().role(role_of(venue))
    checked = kit.done("provision", "--check", "--diff")
    assert f"{venue}: importing aws_iam_role.this, which exists already" in checked.err
    assert f"{venue}: {checked.err.count('importing')} to import, " in checked.err
    assert BY_HAND not in checked.err + checked.out
    assert kit.root().role(role_of(venue)) == was
    kit.done("provision")
    assert kit.done("provision").out == f"{venue} : ok=9 changed=0 {REST}\n"
    # The policies that others attached are detached, but not deleted.
    kit.done("deprovision", "--venue", venue, "--yes")
    assert kit.root().role(role_of(venue)) is None
    assert kit.root().managed_policy_exists(SOMEBODYS_POLICY)


@pytest.mark.parametrize("is_lost", [True, pytest.param(False, marks=pytest.mark.soak)])
def test_lost_or_truncated_state_is_reimported(provisioned_copy: tuple[Kit, str], is_lost: bool) -> None:
    kit, venue = provisioned_copy
    before = iam_documents(kit, venue)
    folder = kit.work_directory / "stacks" / venue
    state = folder / "terraform.tfstate"
    if is_lost:
        shutil.rmtree(folder)
    else:
        state.write_text(state.read_text()[:700])

    result = kit.done("provision")
    # Only the state records that Terraform detaches what others attached: the import writes it again.
    assert result.out == f"{venue} : ok=9 changed=1 {REST}\n"
    assert result.err.count("importing") == 6
    assert (folder / "terraform.tfstate.unreadable").exists() is not is_lost
    assert iam_documents(kit, venue) == before
    if not is_lost:  # for the soak; a second run does the same after both
        assert "importing" not in kit.done("provision").err


@pytest.mark.soak
def test_only_existing_resources_are_imported(kit: Kit, venue: str) -> None:
    kit.done("provision")
    ids, root, role = live_ids(kit, venue), kit.root(), role_of(venue)
    s3 = f"arn:aws:iam::{ACCOUNT}:policy/{role}-s3"
    ecr = f"arn:aws:iam::{ACCOUNT}:policy/{role}-ecr"
    for arn in (s3, ecr):
        root.call("iam", "detach_role_policy", RoleName=role, PolicyArn=arn)
    root.call("iam", "delete_policy", PolicyArn=ecr)
    shutil.rmtree(kit.work_directory / "stacks" / venue)

    result = kit.done("provision")
    assert result.out == f"{venue} : ok=9 changed=4 {REST}\n"
    assert result.err.count("importing") == 3
    assert live_ids(kit, venue) == ids


@pytest.mark.soak
def test_recreated_role_or_parameter_keeps_external_id(kit: Kit, venue: str) -> None:
    kit.done("provision")
    ids, root, role = live_ids(kit, venue), kit.root(), role_of(venue)

    root.call("ssm", "delete_parameter", Name=parameter_of(venue))
    assert kit.done("provision").out == f"{venue} : ok=9 changed=1 {REST}\n"
    assert live_ids(kit, venue) == ids

    for arn in root.attached_policies(role):
        root.call("iam", "detach_role_policy", RoleName=role, PolicyArn=arn)
    root.call("iam", "delete_role", RoleName=role)
    assert kit.done("provision").out == f"{venue} : ok=9 changed=3 {REST}\n"
    assert live_ids(kit, venue) == ids


@pytest.mark.parametrize("known", [pytest.param(False, marks=pytest.mark.soak), True])
def test_manually_edited_external_id_is_refused(kit: Kit, venue: str, known: bool) -> None:
    """The role and the parameter disagree: which of them is in use is not known."""
    kit.done("local.up")
    make_by_hand(kit, venue)
    overwrite_parameter(kit.root(), parameter_of(venue), ExternalId("something-else"))
    if not known:
        kit.root().call("ssm", "delete_parameter", Name=parameter_of(venue))
        kit.done("provision")
        assert live_ids(kit, venue) == {BY_HAND}
        return
    refused = kit("provision")
    assert refused.code == 2
    assert "--repair" in refused.err
    assert BY_HAND not in refused.err
    assert "something-else" not in refused.err


def test_role_with_another_path_or_boundary_is_not_imported(kit: Kit, venue: str) -> None:
    boundary = f"arn:aws:iam::{ACCOUNT}:policy/platform/boundary"
    kit.write_inventory({venue: emulated(venue, emulator_seed={"permissions_boundaries": ["platform/boundary"]})})
    kit.done("local.up")
    make_by_hand(kit, venue, path="/teams/", boundary=boundary)

    kit.write_inventory({venue: emulated(venue)})
    path = kit("provision")
    assert path.code == 2
    assert "set role_path: /teams/" in path.err

    kit.write_inventory({venue: emulated(venue, role_path="/teams/", permissions_boundary="platform/boundry")})
    misspelt = kit("provision")
    assert misspelt.code == 2
    assert "permissions_boundary: there is no policy" in misspelt.err

    kit.write_inventory({venue: emulated(venue, role_path="/teams/")})
    unnamed = kit("provision")
    assert unnamed.code == 2
    assert "set permissions_boundary: platform/boundary" in unnamed.err


@pytest.mark.soak
def test_role_with_a_path_and_a_boundary_is_imported(kit: Kit, venue: str) -> None:
    boundary = f"arn:aws:iam::{ACCOUNT}:policy/platform/boundary"
    kit.write_inventory({venue: emulated(venue, emulator_seed={"permissions_boundaries": ["platform/boundary"]})})
    kit.done("local.up")
    make_by_hand(kit, venue, path="/teams/", boundary=boundary)
    kit.write_inventory({venue: emulated(venue, role_path="/teams/", permissions_boundary="platform/boundary")})
    assert "ok=9" in kit.done("provision").out
    role = kit.root().role(role_of(venue))
    assert role is not None
    assert role.permissions_boundary_arn == boundary
