"""``invoke status``: how each venue stands, and never an ID."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.functional.kit import ACCOUNT, OTHER_ACCOUNT, Kit, emulated, new_venue
from tests.functional.ledgers import AGE
from tests.functional.trust import FIRST, KNOWN, SECOND, VenueTrust
from venue_access.emulator.server import aws_emulator
from venue_access.policies.revocation import remove_inline, write_inline


def line(kit: Kit) -> str:
    result = kit.done("status")
    assert not any(each in result.out + result.err for each in KNOWN)
    return result.out


def test_each_rotation_state_is_one_line(trust: VenueTrust) -> None:
    plain = "trust-dev: provisioned, external ID 0 min old, tokens for up to 3600 s"
    current, pending = trust.statement("Current", FIRST), trust.statement("Pending", SECOND)
    assert line(trust.kit) == f"{plain}\n"
    trust.write_trust(current, pending)
    assert line(trust.kit) == f"{plain}; rotation in progress: pending, the old external ID is in use\n"
    trust.put(SECOND)
    assert line(trust.kit) == f"{plain}; rotation in progress: promoted, the old external ID is still accepted\n"
    trust.put("third-id-0003")
    assert line(trust.kit) == f"{plain}; broken: the trust policy does not accept the parameter's external ID\n"
    trust.lose_parameter()
    assert line(trust.kit) == (
        "trust-dev: provisioned, tokens for up to 3600 s; its SSM parameter is missing: restore it with invoke"
        " provision\n"
    )
    trust.put(FIRST)
    trust.write_trust(current)
    assert line(trust.kit) == f"{plain}\n"


def test_document_has_every_venue(trust: VenueTrust) -> None:
    other = new_venue()
    hosts = {trust.venue: emulated(trust.venue), other: emulated(other, account_id=OTHER_ACCOUNT)}
    kit = Kit(trust.kit.folder, trust.kit.work_directory)
    kit.write_inventory(hosts)
    document = kit.done("status", "--json").document()
    kit.write_inventory({trust.venue: hosts[trust.venue]})
    age = document["venues"][trust.venue].pop("external_id_age_seconds")
    assert 0 <= age < 600
    assert document == {
        "venues": {
            trust.venue: {
                "provisioned": True,
                "external_id": "stable",
                "rotating": False,
                "grace_until": None,
                "external_id_parameter_type": "SecureString",
                "outdated_external_id": [],
                "unknown_external_id": [],
                "max_session_duration": 3600,
                "role_arn": f"arn:aws:iam::{ACCOUNT}:role/unity-trust-dev-sts",
                "error": None,
            },
            other: {
                "provisioned": False,
                "external_id": "not provisioned",
                "rotating": False,
                "grace_until": None,
                "external_id_age_seconds": None,
                "external_id_parameter_type": None,
                "outdated_external_id": [],
                "unknown_external_id": [],
                "max_session_duration": None,
                "role_arn": f"arn:aws:iam::{OTHER_ACCOUNT}:role/unity-{other}-sts",
                "error": None,
            },
        }
    }


def test_holders_of_an_old_external_id_are_listed(trust: VenueTrust, tmp_path: Path) -> None:
    kit = trust.kit
    kit.done("external-id.send", "--user", "alice", "--recipient", AGE, "--out", str(tmp_path / "encrypted"))
    describe: dict[str, Any] = {"Name": trust.parameter, "Value": FIRST, "Type": "SecureString", "Overwrite": True}
    kit.root().call("ssm", "put_parameter", **describe, Description="changed by hand")
    assert "old" not in line(kit).replace(" min old", "")
    trust.put(SECOND)
    assert "an old external ID is held by alice" in line(kit)
    deny = {"Effect": "Deny", "Action": "ssm:GetParameterHistory", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [deny]}
    write_inline(kit.root(), "venue-access-operator", "no-history", policy)
    try:
        shown_status = line(kit)
    finally:
        remove_inline(kit.root(), "venue-access-operator", "no-history")
    assert "not known whether an old one is held by alice: AWS refused ssm:GetParameterHistory" in shown_status
    trust.put(FIRST)
    assert "old" not in line(kit).replace(" min old", "")
    document = kit.done("status", "--json").document()["venues"][trust.venue]
    assert (document["outdated_external_id"], document["unknown_external_id"]) == ([], [])


def test_unreachable_account_does_not_hide_others(trust: VenueTrust, tmp_path: Path) -> None:
    kit = Kit(tmp_path, trust.kit.work_directory)
    endpoint = aws_emulator(kit.work_directory).endpoint()
    away = emulated("away-dev", emulator=False, aws_endpoint_url=endpoint.url, account_id=OTHER_ACCOUNT)
    kit.write_inventory(
        {
            "away-dev": {**away, "trusted_principals": [f"arn:aws:iam::{OTHER_ACCOUNT}:root"]},
            trust.venue: emulated(trust.venue),
        }
    )
    result = kit("status", AWS_CA_BUNDLE=str(endpoint.ca_file))
    assert result.code == 5
    assert result.out.startswith("away-dev: unknown: no AWS credentials found\ntrust-dev: provisioned, ")
    assert result.err.startswith("error: away-dev: no AWS credentials found\n")

    # Keys of another account: there the venue only seems not to be.
    keys = {"AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "test", "AWS_CA_BUNDLE": str(endpoint.ca_file)}
    result = kit("status", "--json", **keys, timeout=300)
    assert result.code == 5
    shown_status = json.loads(result.out)["venues"]["away-dev"]
    assert (
        f"away-dev is in account {OTHER_ACCOUNT}, but your credentials are of account {ACCOUNT}"
        in shown_status["error"]
    )
    assert shown_status["provisioned"] is None


@pytest.mark.soak
def test_fifty_venues_are_read_concurrently(kit: Kit) -> None:
    names = [f"fifty-v{number:02}" for number in range(50)]
    kit.write_inventory(
        {name: emulated(name, account_id=(ACCOUNT, OTHER_ACCOUNT)[number % 2]) for number, name in enumerate(names)}
    )
    kit.done("local.up")  # makes their buckets
    began = time.monotonic()
    result = kit.done("status")
    assert result.out == "".join(f"{name}: not provisioned\n" for name in names)
    assert time.monotonic() - began < 10
