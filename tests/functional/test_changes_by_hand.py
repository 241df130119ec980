"""Roles and trust policies that were changed by hand."""

from __future__ import annotations

import pytest

from tests.functional.faulty_venue import VENUE, run
from tests.functional.provisioning import role_of
from tests.functional.trust import FIRST, VenueTrust


@pytest.mark.soak
def test_deleted_role_is_reported_and_recreated(faulty: VenueTrust) -> None:
    kit, root = faulty.kit, faulty.root
    for policy in root.attached_policies(role_of(VENUE)):
        root.call("iam", "detach_role_policy", RoleName=role_of(VENUE), PolicyArn=policy)
    for name in root.call("iam", "list_role_policies", RoleName=role_of(VENUE))["PolicyNames"]:
        root.call("iam", "delete_role_policy", RoleName=role_of(VENUE), PolicyName=name)
    root.call("iam", "delete_role", RoleName=role_of(VENUE))

    missing = "its role is missing, though its SSM parameter exists"
    assert run(kit, "status").out == f"{VENUE}: not provisioned: {missing}: re-create it with invoke provision\n"
    for command, said in (
        ("issue-token", f"there is no role {role_of(VENUE)}, though its SSM parameter exists"),
        ("rotate-external-id", f"{VENUE} is not provisioned: {missing}"),
        ("revoke-token", f"{VENUE} is not provisioned\n  there is no role {role_of(VENUE)}"),
    ):
        result = run(kit, command)
        assert result.code == 2, result.err
        assert said in result.err
    assert run(kit, "verify").code == 7
    assert "failed=0" in run(kit, "provision").out
    assert faulty.check_stable() == FIRST


def test_deleted_principal_is_named(faulty: VenueTrust) -> None:
    faulty.write_trust({**faulty.statement("Current", FIRST), "Principal": {"AWS": "AROAEXAMPLEOFADELETED"}})
    named = "the trust policy trusts a deleted principal"
    assert named in run(faulty.kit, "status").out
    verified = run(faulty.kit, "verify")
    assert verified.code == 7
    assert named in verified.out
    refused = run(faulty.kit, "rotate-external-id")
    assert (refused.code, named in refused.err) == (2, True)
    assert "invoke provision --venue" in refused.err


@pytest.mark.soak
def test_deleted_principal_is_replaced_by_provision(faulty: VenueTrust) -> None:
    faulty.write_trust({**faulty.statement("Current", FIRST), "Principal": {"AWS": "AROAEXAMPLEOFADELETED"}})
    assert run(faulty.kit, "provision").code == 0
    assert faulty.check_stable() == FIRST


@pytest.mark.soak
def test_removed_external_id_check_is_named_and_restored(faulty: VenueTrust) -> None:
    faulty.write_trust(faulty.statement("Current"))
    named = "the trust policy lets the role be assumed without an external ID"
    assert f"; broken: {named}\n" in run(faulty.kit, "status").out
    verified = run(faulty.kit, "verify")
    assert verified.code == 7
    assert named in verified.out
    assert "sts:AssumeRole without an external ID: expected refused, found allowed" in verified.out
    assert named in run(faulty.kit, "rotate-external-id").err
    assert run(faulty.kit, "provision").code == 0
    assert faulty.check_stable() == FIRST
