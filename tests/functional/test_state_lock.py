"""``state.force-unlock`` and the kit's own lock: S3 deletes the lock that was read, and no other."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.functional.faults import Fault
from tests.functional.kit import Kit, emulated, new_venue
from tests.functional.proxy import Proxy
from tests.stacks import a_venue
from venue_access.aws.client import AwsClient, Endpoint
from venue_access.errors import UsageError
from venue_access.inventory.loader import load_inventory
from venue_access.inventory.venues import build_venues
from venue_access.provisioning.stack import Stack, StateLocation, stack_of
from venue_access.provisioning.state_object import StateObject


@pytest.fixture
def bucket(kit: Kit) -> str:
    name = f"{new_venue()}-state"
    kit.root().call(
        "s3", "create_bucket", Bucket=name, CreateBucketConfiguration={"LocationConstraint": kit.root().region}
    )
    return name


def lock(aws: AwsClient, bucket: str, key: str, lock_id: str, who: str) -> None:
    held = {"ID": lock_id, "Who": who, "Created": "2026-11-20T22:15:00Z"}
    aws.call("s3", "put_object", Bucket=bucket, Key=f"{key}.tflock", Body=json.dumps(held).encode())


def first_delete(proxy: Proxy, act: Callable[[], None]) -> None:
    """Have something happen just before the first deletion."""

    def before(operation: str) -> None:
        if operation == "S3:DELETE" and proxy.calls.count(operation) == 1:
            act()

    proxy.before_call = before


def test_concurrently_taken_lock_is_kept(kit: Kit, proxy: Proxy, bucket: str) -> None:
    name = new_venue()
    state = {"backend": "s3", "bucket": bucket, "region": kit.root().region}
    kit.write_inventory({name: emulated(name, aws_endpoint_url=proxy.url, state=state)})
    venues = build_venues(load_inventory(kit.inventory))
    key = stack_of(venues, venues[name]).state_location.key
    lock(kit.root(), bucket, key, "first", "alice@here")
    first_delete(proxy, lambda: lock(kit.root(), bucket, key, "second", "bob@there"))
    raced = kit("state.force-unlock", "--venue", name, "--lock", "first")
    assert raced.code == 2
    assert f"error: {name}: the lock of alice@here since 2026-11-20 22:15 UTC was removed concurrently" in raced.err
    refused = kit("state.force-unlock", "--venue", name, "--lock", "first")
    assert (refused.code, "is locked by bob@there" in refused.err) == (2, True)
    assert kit.done("state.force-unlock", "--venue", name, "--lock", "second").out.startswith(
        f"{name}: removed the lock of bob@there"
    )


def test_only_own_lock_is_released(kit: Kit, bucket: str) -> None:
    aws = kit.root()
    place = StateLocation(bucket, "a.tfstate", aws.region)
    state = StateObject(Stack("unity-dev", (a_venue(),)), place, aws)
    with state.locked():
        assert state.lock() is not None
    assert state.lock() is None
    with state.locked():
        lock(aws, bucket, "a.tfstate", "another", "bob@there")  # somebody freed ours, and bob took it
    held = state.lock()
    assert held is not None
    assert held.who == "bob@there"


def test_lost_response_of_a_write_is_recognized(kit: Kit, proxy: Proxy, bucket: str) -> None:
    lost: dict[str, int] = {}

    def first_put(operation: str) -> Fault | None:  # botocore sends it again, and S3 then says that it exists
        lost[operation] = lost.get(operation, 0) + 1
        return Fault.LOST if operation == "S3:PUT" and lost[operation] == 1 else None

    aws = AwsClient(region=kit.root().region, credentials=kit.root().credentials(), endpoint=Endpoint(proxy.url))
    state = StateObject(Stack("unity-dev", (a_venue(),)), StateLocation(bucket, "c.tfstate", aws.region), aws)
    proxy.fault_of = first_put
    with state.locked():
        assert lost["S3:PUT"] == 2
        lost.clear()
        state.create({"version": 4, "serial": 1, "resources": []})
        assert lost["S3:PUT"] == 2
        with pytest.raises(UsageError, match="exists already"):
            state.create({"version": 4, "serial": 2, "resources": []})
    assert state.lock() is None
    assert state.read()["serial"] == 1


def test_concurrently_written_state_is_not_removed(kit: Kit, bucket: str) -> None:
    aws = kit.root()
    state = StateObject(Stack("unity-dev", (a_venue(),)), StateLocation(bucket, "b.tfstate", aws.region), aws)
    state.create({"version": 4, "serial": 1, "resources": []})
    assert state.read()["serial"] == 1
    aws.call("s3", "put_object", Bucket=bucket, Key="b.tfstate", Body=b'{"version": 4, "serial": 2, "resources": []}')
    with pytest.raises(UsageError, match="has changed since it was read"):
        state.remove()
    assert state.read()["serial"] == 2
    state.remove()
    assert state.read() == {}
