"""Every bucket and prefix of an inventory has one use."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.inventory.builders import inventory_of
from venue_access.errors import InventoryError
from venue_access.inventory.cross_validation import other_use_of_found
from venue_access.inventory.model import Venue
from venue_access.inventory.venues import build_venues

OTHER_ACCOUNT = {"account_id": "444455556666", "region": "us-east-1"}


def state_in(bucket: str, key_prefix: str | None = None) -> dict[str, Any]:
    return {"backend": "s3", "bucket": bucket, "key_prefix": key_prefix, "region": "us-west-2"}


def ledger_in(bucket: str, prefix: str | None = None) -> dict[str, Any]:
    return {"s3": {"bucket": bucket, "prefix": prefix, "region": "us-west-2"}}


def venues(**hosts: dict[str, Any]) -> list[Venue]:
    return list(build_venues(inventory_of(**hosts)).values())


def problems(**hosts: dict[str, Any]) -> list[str]:
    with pytest.raises(InventoryError) as raised:
        build_venues(inventory_of(**hosts))
    return [f"{problem.venue}: {problem.key}: {problem.message}" for problem in raised.value.problems]


@pytest.mark.parametrize(
    ("kept", "reason"),
    [
        ({"state": state_in("shared", "far/away")}, "holds the Terraform state of unity-test"),
        ({"ledger": ledger_in("shared", "far/away")}, "holds the ledger of unity-test"),
    ],
)
@pytest.mark.parametrize("where", [{}, OTHER_ACCOUNT])
def test_data_bucket_is_not_one_of_a_state_or_ledger(kept: dict[str, Any], reason: str, where: dict[str, Any]) -> None:
    message = f"the bucket 'shared' {reason}; name a bucket that holds the venue's data alone"
    found = problems(unity_dev={"s3_buckets": ["own", "shared"]}, unity_test={**kept, **where})
    assert found == [f"unity-dev: s3_buckets: {message}"]
    assert problems(unity_test={**kept, "s3_buckets": ["shared"]}) == [f"unity-test: s3_buckets: {message}"]


def test_bucket_names_of_another_endpoint_are_other_buckets() -> None:
    there = {"state": state_in("shared"), "aws_endpoint_url": "https://127.0.0.1:4566"}
    assert venues(unity_dev={"s3_buckets": ["shared"]}, unity_test=there)


@pytest.mark.parametrize(
    "bucket",
    [
        "unity-unity-dev-bucket",
        "unity-tropess-ops-bucket",  # of no venue of the inventory
        "unity-my-project-my-venue-bucket",
        "mdps-x-y-bucket",  # by the role prefix of another venue
        "my-org-x-y-bucket",
    ],
)
def test_platform_state_bucket_is_not_a_data_bucket(bucket: str) -> None:
    others = {"unity_test": {"role_prefix": "MDPS"}, "unity_ops": {"role_prefix": "My_Org"}}
    (found,) = problems(unity_dev={"s3_buckets": [bucket]}, **others)
    assert found.startswith(f"unity-dev: s3_buckets: the bucket {bucket!r} is named ")
    assert "-<project>-<venue>-bucket, as the platform's buckets for Terraform state are" in found
    (venue, *_) = venues(unity_dev={}, **others)
    assert "as the platform's buckets" in (other_use_of_found(venue, bucket) or "")


@pytest.mark.parametrize(
    "bucket",
    ["unity-dev-unity-data", "unity-bucket", "unity-dev-bucket", "sounder-x-y-bucket", "unity-a-b-buckets", "x-bucket"],
)
def test_other_names_are_taken(bucket: str) -> None:
    (venue,) = venues(unity_dev={"s3_buckets": [bucket]})
    assert other_use_of_found(venue, bucket) is None


def test_bucket_from_a_parameter_is_compared_with_the_whole_inventory() -> None:
    dev, *_ = venues(
        unity_dev={},
        unity_test={"s3_buckets": ["theirs"], "state": state_in("states"), **OTHER_ACCOUNT},
        unity_ops={"ledger": ledger_in("books", "x")},
    )
    assert other_use_of_found(dev, "theirs") == "is the data bucket of unity-test"
    assert other_use_of_found(dev, "states") == "holds the Terraform state of unity-test"
    assert other_use_of_found(dev, "books") == "holds the ledger of unity-ops"
    assert other_use_of_found(dev, "fresh") is None


def test_buckets_from_parameters_are_compared_with_each_other() -> None:
    dev, test = venues(unity_dev={}, unity_test={})
    assert other_use_of_found(dev, "data") is None
    assert other_use_of_found(dev, "data") is None
    assert other_use_of_found(test, "data") == "is the data bucket of unity-dev"
    assert other_use_of_found(test, "more") is None


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (
            {"ledger": ledger_in("kept", "a")},
            {"ledger": ledger_in("kept", "a/x")},
            "unity-test: ledger: its ledger in s3://kept/a/x/ lies within the ledger of unity-dev in s3://kept/a/;"
            " use another bucket, or prefixes of which neither begins with the other",
        ),
        (
            {"ledger": ledger_in("kept", "a/x")},
            {"ledger": ledger_in("kept")},
            "unity-dev: ledger: its ledger in s3://kept/a/x/",
        ),
        (
            {"ledger": ledger_in("kept")},
            {"state": state_in("kept")},
            "its state in s3://kept/ lies within the ledger of",
        ),
        (
            {"ledger": ledger_in("kept", "a/")},
            {"state": state_in("kept", "a")},
            "its state in s3://kept/a/ lies within",
        ),
        (
            {"ledger": ledger_in("kept", "a/l")},
            {"state": state_in("kept", "a")},
            "unity-dev: ledger: its ledger in s3://kept/a",
        ),
        (
            {"ledger": ledger_in("kept")},
            {"state": state_in("kept", "s")},
            "unity-test: state: its state in s3://kept/s/ lies",
        ),
        (
            {"ledger": ledger_in("kept", "l"), "state": state_in("kept")},
            {},
            "unity-dev: ledger: its ledger in s3://kept/l/",
        ),
        (
            {"ledger": ledger_in("kept", "a/x/y"), "state": state_in("kept", "a/x")},
            {"state": state_in("kept", "a")},
            "a/x/y/",
        ),
    ],
)
def test_ledgers_and_states_of_one_bucket_have_prefixes_apart(
    one: dict[str, Any], other: dict[str, Any], said: str
) -> None:
    one, other = ({"s3_buckets": [name], **each} for name, each in (("one", one), ("other", other)))
    (found,) = problems(unity_dev=one, unity_test={**other, **OTHER_ACCOUNT})
    assert said in found


def test_venues_may_share_ledger_and_state_bucket() -> None:
    kept = {"ledger": ledger_in("kept", "ledger"), "state": state_in("kept", "state")}
    more = {"ledger": ledger_in("kept", "ledger2"), "state": state_in("kept", "state/inner")}
    assert venues(unity_dev=kept, unity_test={**kept, **OTHER_ACCOUNT}, unity_ops=more)


@pytest.mark.parametrize(
    "kept", [{"state": {"backend": "s3", "bucket": "kept"}}, {"ledger": {"s3": {"bucket": "kept"}}}]
)
def test_bucket_is_in_one_region(kept: dict[str, Any]) -> None:
    (key,) = kept
    assert problems(unity_dev=kept, unity_test={**kept, **OTHER_ACCOUNT}) == [
        f"unity-test: {key}: the bucket 'kept' would be in us-east-1 here, and in us-west-2 for unity-dev;"
        " name its region"
    ]


def test_state_and_ledger_are_in_the_partition_of_the_venue() -> None:
    china = {"region": "cn-north-1", "trusted_principals": ["arn:aws-cn:iam::111122223333:root"]}
    assert problems(unity_dev={**china, "state": state_in("s-1"), "ledger": ledger_in("l-1")}) == [
        "unity-dev: state: us-west-2 is not a region of the venue's partition 'aws-cn'",
        "unity-dev: ledger: us-west-2 is not a region of the venue's partition 'aws-cn'",
    ]


def test_ledger_in_a_state_bucket_of_the_platforms_has_a_prefix() -> None:
    (found,) = problems(unity_dev={"ledger": ledger_in("unity-unity-dev-bucket")})
    assert found.startswith("unity-dev: ledger: the bucket 'unity-unity-dev-bucket' is named unity-<project>-<venue>-")
    assert venues(unity_dev={"ledger": ledger_in("unity-unity-dev-bucket", "venue-access")})
