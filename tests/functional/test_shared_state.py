"""A state in S3, as several operators share it: its bucket, its lock, and the ways to it from this machine and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.functional.kit import Kit, emulated
from tests.functional.provisioning import REST, live_ids

HELD = {
    "ID": "5f1c88aa-0000-1111-2222-333344445555",
    "Operation": "OperationTypeApply",
    "Who": "ana@issuer",
    "Created": "2026-11-20T22:15:08.123Z",
}


def bucket_of(venue: str) -> dict[str, Any]:
    return {"Bucket": f"{venue}-state"}


def in_s3(kit: Kit, venue: str) -> None:
    kit.write_inventory({venue: emulated(venue, state={"backend": "s3", "bucket": f"{venue}-state"})})


def key(venue: str) -> str:
    return f"{venue}/terraform.tfstate"


@pytest.fixture
def held(kit: Kit, venue: str) -> Iterator[None]:
    """Somebody else holds the lock of the venue's state."""
    in_s3(kit, venue)
    kit.done("status")
    body = json.dumps(HELD).encode()
    kit.root().call("s3", "put_object", **bucket_of(venue), Key=f"{key(venue)}.tflock", Body=body)
    yield
    kit.root().call("s3", "delete_object", **bucket_of(venue), Key=f"{key(venue)}.tflock")


def test_state_moves_to_s3(provisioned_copy: tuple[Kit, str]) -> None:
    kit, venue = provisioned_copy
    ids = live_ids(kit, venue)
    in_s3(kit, venue)
    unmoved = kit("provision")
    assert unmoved.code == 2
    place = f"s3://{venue}-state/{key(venue)}"
    assert f"the inventory has its state in {place}, but it is in the work directory\n" in unmoved.err
    assert "  move it with: invoke state.migrate --venue" in unmoved.err
    assert kit.done("state.migrate").out == f"{venue}: its state is in {place} now\n"
    assert not (kit.work_directory / "stacks" / venue / "terraform.tfstate").exists()
    assert kit.done("provision", "--check").out == f"{venue} : ok=6 changed=0 {REST}\n"
    assert live_ids(kit, venue) == ids


@pytest.mark.soak
def test_state_moves_both_ways_without_overwriting(kit: Kit, venue: str) -> None:
    made = kit.done("provision")
    assert made.out.startswith(f"{venue} : ok=9 changed=6")
    ids, at_home = live_ids(kit, venue), kit.inventory.read_text()
    root = kit.root()

    in_s3(kit, venue)
    unmoved = kit("provision")
    assert unmoved.code == 2
    place = f"s3://{venue}-state/{key(venue)}"
    assert f"the inventory has its state in {place}, but it is in the work directory\n" in unmoved.err
    assert "  move it with: invoke state.migrate --venue" in unmoved.err
    stranger = json.dumps({"version": 4, "serial": 1, "lineage": "another", "resources": []}).encode()
    root.call("s3", "put_object", **bucket_of(venue), Key=key(venue), Body=stranger)
    refused = kit("state.migrate")
    assert refused.code == 2
    assert "which is not overwritten" in refused.err
    assert (kit.work_directory / "stacks" / venue / "terraform.tfstate").exists()
    root.call("s3", "delete_object", **bucket_of(venue), Key=key(venue))

    assert kit.done("state.migrate").out == f"{venue}: its state is in {place} now\n"
    assert not (kit.work_directory / "stacks" / venue / "terraform.tfstate").exists()
    kit.inventory.write_text(at_home)  # where it was moved to is known before another run has been there
    assert f"its state in the work directory, but it is in {place}\n" in kit("provision", "--check").err
    in_s3(kit, venue)
    assert kit.done("provision").out == f"{venue} : ok=9 changed=0 {REST}\n"
    assert kit.done("state.migrate").out == f"{venue}: its state is in {place} already\n"

    kit.inventory.write_text(at_home)
    assert kit("provision").code == 2
    # What the inventory names no more is in no operator's policy here, so the right to the bucket is given by hand.
    allow = {"Effect": "Allow", "Action": "s3:*", "Resource": [f"arn:aws:s3:::{venue}-state*"]}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    operator: dict[str, Any] = {"RoleName": "venue-access-operator", "PolicyName": f"{venue}-state"}
    root.call("iam", "put_role_policy", **operator, PolicyDocument=policy)
    lock = {**bucket_of(venue), "Key": f"{key(venue)}.tflock"}
    root.call("s3", "put_object", **lock, Body=json.dumps(HELD).encode())  # a move that was killed left it
    assert kit("state.migrate").code == 4
    assert (
        "removed the lock of ana@issuer" in kit.done("state.force-unlock", "--venue", venue, "--lock", HELD["ID"]).out
    )
    assert kit.done("state.migrate").out == f"{venue}: its state is in the work directory now\n"
    assert root.find("s3", "get_object", **bucket_of(venue), Key=key(venue)) is None
    root.call("iam", "delete_role_policy", **operator)
    assert kit.done("provision").out == f"{venue} : ok=9 changed=0 {REST}\n"
    assert live_ids(kit, venue) == ids


def test_lock_is_awaited_and_stale_lock_is_removed(kit: Kit, venue: str, held: None) -> None:
    locked = kit("provision", "--check", "--lock-timeout", "4s")
    assert locked.code == 4
    who = f"{venue}: the Terraform state is locked by ana@issuer since 2026-11-20 22:15 UTC (apply)"
    assert f"\n{who}; waiting\n" in f"\n{locked.err}"
    free = f"invoke state.force-unlock --venue {venue} --lock {HELD['ID']}"
    assert f"error: {who}\n  no run takes that long: a killed run left the lock; remove it with: {free}\n" in (
        locked.err
    )
    other = kit("state.force-unlock", "--venue", venue, "--lock", "another")
    assert other.code == 2
    assert "its state is locked by ana@issuer since 2026-11-20 22:15 UTC, with another lock ID\n  wait" in other.err
    assert kit.done(*free.split()[1:]).out == f"{venue}: removed the lock of ana@issuer since 2026-11-20 22:15 UTC\n"
    assert kit.done("provision", "--check").out.startswith(f"{venue} : ok=0 changed=6")
    assert kit.done(*free.split()[1:]).out == f"{venue}: its state is not locked\n"


@pytest.mark.soak
def test_unsuitable_state_bucket_is_reported_with_remedy(kit: Kit, venue: str) -> None:
    in_s3(kit, venue)
    assert "the state's bucket" not in kit.done("provision", "--check").err
    root, bucket = kit.root(), bucket_of(venue)
    root.call("s3", "put_bucket_versioning", **bucket, VersioningConfiguration={"Status": "Suspended"})
    open_to_all = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": False}
    root.call("s3", "put_public_access_block", **bucket, PublicAccessBlockConfiguration=open_to_all)
    warnings = kit.done("provision", "--check").err
    assert f"warning: the state's bucket {venue}-state keeps no versions: aws s3api put-bucket-versioning" in warnings
    assert f"warning: the state's bucket {venue}-state does not block public access: aws s3api put-public" in warnings


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<html>", marks=pytest.mark.soak),
        pytest.param(b"\xff\xfe", marks=pytest.mark.soak),
        json.dumps({"ID": "?", "Who": "\x1b[2Jevil"}).encode(),
    ],
)
def test_unreadable_lock_is_reported_and_removed(kit: Kit, venue: str, body: bytes) -> None:
    in_s3(kit, venue)
    kit.done("status")
    root, lock = kit.root(), {**bucket_of(venue), "Key": f"{key(venue)}.tflock"}
    root.call("s3", "put_object", **lock, Body=body)
    locked = kit("provision", "--check", "--lock-timeout", "1s")
    assert locked.code == 4
    free = f"invoke state.force-unlock --venue {venue} --lock"
    assert free in locked.err
    freed = kit.done(*free.split()[1:], "?")
    assert "removed the lock of" in freed.out
    assert "\x1b" not in freed.out + locked.err


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"resources": [{}]}', b"\xff"])
def test_invalid_state_is_not_moved(kit: Kit, venue: str, body: bytes) -> None:
    in_s3(kit, venue)
    kit.done("status")
    kit.root().call("s3", "put_object", **bucket_of(venue), Key=key(venue), Body=body)
    folder = kit.work_directory / "stacks" / venue
    folder.mkdir(mode=0o700, parents=True)
    (folder / "moved-to.json").write_text(json.dumps({}))  # it was last on this machine
    (folder / "terraform.tfstate").write_text(json.dumps({"version": 4, "serial": 1, "lineage": "x", "resources": []}))
    refused = kit("state.migrate")
    assert refused.code == 2
    assert f"s3://{venue}-state/{key(venue)} is not a Terraform state\n" in refused.err
    assert (folder / "terraform.tfstate").exists()
