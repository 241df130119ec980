"""What the inventory says of buckets, keys, regions and tags, against what AWS holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.functional.kit import ACCOUNT, REGION, Kit, emulated, new_venue
from tests.functional.provisioning import REST, role_of
from tests.stacks import a_stack, a_venue
from tests.unit.ledger.records import a_record
from venue_access.aws.client import LiveRole
from venue_access.config import Settings
from venue_access.errors import UsageError
from venue_access.inventory.model import LedgerBucket, StateBackend
from venue_access.ledger.s3 import S3Ledger
from venue_access.provisioning.state import check_no_other_stack
from venue_access.provisioning.venue_snapshot import VenueSnapshot


def names_bucket(kit: Kit, venue: str, bucket: str) -> str:
    """Have the platform's SSM parameter of a venue name a bucket; the parameter's name."""
    name = f"/unity/{venue.replace('-', '/')}/ds/datastore-bucket"
    kit.root().call("ssm", "put_parameter", Name=name, Value=bucket, Type="String", Overwrite=True)
    return name


def test_bucket_parameter_with_another_use_is_refused(kit: Kit) -> None:
    venue, other = new_venue(), new_venue()
    state = {"backend": "s3", "bucket": f"{other}-state"}
    hosts = {venue: emulated(venue, s3_buckets=None), other: emulated(other, state=state)}
    kit.write_inventory(hosts)
    kit.done("local.up")
    for bucket, reason in (
        (f"{other}-state", f"holds the Terraform state of {other}: a token would have access to that"),
        (f"{other}-data", f"is the data bucket of {other}"),
        ("unity-any-venue-bucket", "as the platform's buckets for Terraform state are"),
        ("*", "'*' must be a bucket name"),
    ):
        parameter = names_bucket(kit, venue, bucket)
        for command in (
            ("provision", "--venue", venue),
            ("issue-token", "--venue", venue, "--user", "alice", "--read-only"),
        ):
            refused = kit(*command)
            assert refused.code == 2, refused.err
            assert reason in refused.err
            assert parameter in refused.err
            assert "Traceback" not in refused.err
        looked = kit("doctor", "--venue", venue)
        assert looked.code == 7
        assert f"error    data bucket of {venue}: " in looked.out
        assert reason in looked.out
    assert kit.root().role(role_of(venue)) is None
    names_bucket(kit, venue, f"{venue}-own")
    assert f"ok       data bucket of {venue}: {venue}-own" in kit("doctor", "--venue", venue).out


def test_buckets_from_parameters_of_two_venues_differ(kit: Kit) -> None:
    one, two = new_venue(), new_venue()
    kit.write_inventory({name: emulated(name, s3_buckets=None) for name in (one, two)})
    kit.done("local.up")
    for name in (one, two):
        names_bucket(kit, name, f"{one}-both")
    looked = kit("doctor")
    assert looked.code == 7
    refusals = [f"the bucket '{one}-both', which the SSM parameter" in line for line in looked.out.splitlines()]
    assert refusals.count(True) == 1
    for name, other in ((one, two), (two, one)):  # each in a run of its own
        refused = kit("provision", "--venue", name, "--check")
        assert refused.code == 2
        assert f"{name}: the bucket '{one}-both', which the SSM parameter" in refused.err
        assert f"is the data bucket of {other}" in refused.err


def test_verify_reports_a_data_bucket_that_got_another_use(provisioned: tuple[Kit, str], kit: Kit) -> None:
    _, venue = provisioned
    parameter = names_bucket(kit, venue, f"{venue}-data")
    other = new_venue()
    kit.write_inventory(
        {
            venue: emulated(venue, s3_buckets=None),
            other: emulated(other, ledger={"s3": {"bucket": f"{venue}-data"}}),
        }
    )
    result = kit("verify", "--venue", venue)
    kit.root().call("ssm", "delete_parameter", Name=parameter)
    assert result.code == 7, result.err
    (differing,) = (line for line in result.out.splitlines() if line.startswith("DIFFERS"))
    expected, found = "used only for the venue's data", f"holds the ledger of {other}"
    assert differing == f"DIFFERS  data bucket {venue}-data: expected {expected}, found {found}"


def test_records_of_a_ledger_are_encrypted_with_its_key(kit: Kit) -> None:
    root = kit.root()
    bucket = f"{new_venue()}-ledger"
    key = root.call("kms", "create_key")["KeyMetadata"]["Arn"]
    root.call("s3", "create_bucket", Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    ledger = S3Ledger(LedgerBucket(bucket, "kit/", REGION, key), lambda: root)
    ledger.append(a_record())
    (line,) = ledger.lines()
    found = root.call("s3", "head_object", Bucket=bucket, Key=line.where)
    assert (found["ServerSideEncryption"], found["SSEKMSKeyId"]) == ("aws:kms", key)


def test_platform_tag_is_not_a_state_location(kit: Kit, tmp_path: Path) -> None:
    """A role tagged ``Stack`` by the platform, and a state in S3 under that name that holds the venue."""
    root = kit.root()
    bucket = f"{new_venue()}-state"
    root.call("s3", "create_bucket", Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    venue = a_venue(state=StateBackend("s3", bucket, region=REGION))
    resource = {"mode": "managed", "module": 'module.venue["unity-dev"]', "type": "aws_iam_role", "name": "this"}
    state = {"version": 4, "serial": 1, "lineage": "x", "resources": [{**resource, "instances": [{"attributes": {}}]}]}
    root.call("s3", "put_object", Bucket=bucket, Key="elsewhere/terraform.tfstate", Body=json.dumps(state).encode())
    settings = Settings(tmp_path, tmp_path / "work", tmp_path)
    settings.folder("stacks")

    def live(**tags: str) -> VenueSnapshot:
        return VenueSnapshot(LiveRole(venue.role_arn, "AROA1", "/", {}, 3600, None, tags), None)

    check_no_other_stack(settings, a_stack(venue), venue, live(Stack="elsewhere"), root)
    with pytest.raises(UsageError, match="but it is in the state of stack elsewhere"):
        check_no_other_stack(settings, a_stack(venue), venue, live(**{"venue-access:stack": "elsewhere"}), root)


@pytest.mark.soak
def test_unlisted_region_works_with_a_partition(kit: Kit, venue: str) -> None:
    state = {"backend": "s3", "bucket": f"{venue}-state"}
    variables: dict[str, Any] = {"region": "us-west-9", "state": state}
    kit.write_inventory({venue: emulated(venue, **variables)})
    refused = kit("provision")
    assert refused.code == 2
    assert "if it is a new region, set 'partition' too" in refused.err
    kit.write_inventory({venue: emulated(venue, **variables, partition="aws")})
    assert REST in kit.done("provision").out
    assert kit.done("issue-token", "--user", "alice").document()["Credentials"]
    assert "changed=0" in kit.done("provision").out
    kit.done("deprovision", "--venue", venue, "--yes")


@pytest.mark.soak
def test_boundary_parameter_is_followed(kit: Kit, venue: str) -> None:
    root, parameter = kit.root(), f"/platform/{venue}"
    bounding = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    kit.write_inventory({venue: emulated(venue, permissions_boundary=f"ssm:{parameter}")})
    kit.done("local.up")

    def boundary(name: str) -> str:
        root.call("iam", "create_policy", PolicyName=name, PolicyDocument=json.dumps(bounding))
        root.call("ssm", "put_parameter", Name=parameter, Value=name, Type="String", Overwrite=True)
        return f"arn:aws:iam::{ACCOUNT}:policy/{name}"

    def held() -> str | None:
        role = root.role(role_of(venue))
        assert role is not None
        return role.permissions_boundary_arn

    first = boundary(f"{venue}-first")
    kit.done("provision")
    kit.done("rotate-external-id")
    assert held() == first
    assert kit("verify").code == 0
    second = boundary(f"{venue}-second")
    verified = kit("verify")
    assert verified.code == 7
    assert f"DIFFERS  role's permissions boundary: expected {second}, found {first}" in verified.out
    refused = kit("rotate-external-id")
    assert refused.code == 2
    assert "permissions_boundary" in refused.err
    kit.done("provision")
    assert held() == second
