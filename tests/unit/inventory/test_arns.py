"""Regions, their partitions and domains."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.unit.inventory.builders import KEY, NOT_GIVEN, problem, venue_with
from venue_access.inventory.arns import DNS_SUFFIXES, PARTITIONS, partition_by_name
from venue_access.inventory.model import LedgerBucket

ROOT = Path(__file__).parents[3]


def test_region_decides_the_partition() -> None:
    principal = "arn:aws-us-gov:iam::111122223333:role/operator"
    assert venue_with(region="us-gov-west-1", trusted_principals=[principal]).partition == "aws-us-gov"


def test_table_of_regions_is_botocores() -> None:
    spec = find_spec("botocore")
    assert spec is not None
    assert spec.origin is not None
    partitions = json.loads((Path(spec.origin).parent / "data/partitions.json").read_text())["partitions"]
    theirs = {
        region: partition["id"]
        for partition in partitions
        for region in partition["regions"]
        if not region.endswith("-global")
    }
    assert theirs == PARTITIONS
    assert {partition["id"]: partition["outputs"]["dnsSuffix"] for partition in partitions} == DNS_SUFFIXES
    patterns = {partition["id"]: partition["regionRegex"] for partition in partitions}
    for region, partition in PARTITIONS.items():
        newer = f"{region[:-1]}9"
        by_botocore = next((name for name, pattern in patterns.items() if re.match(pattern, newer)), "aws")
        assert partition_by_name(newer) == by_botocore == partition


def test_new_region_is_valid_with_its_partition() -> None:
    venue = venue_with(region="us-west-9", partition="aws", kms_key_arns=[KEY.replace("us-west-2", "us-west-9")])
    assert (venue.region, venue.partition) == ("us-west-9", "aws")
    assert venue.registry == "111122223333.dkr.ecr.us-west-9.amazonaws.com"
    assert venue_with(region="us-west-2", partition="aws") == venue_with()
    iso = {"trusted_principals": ["arn:aws-iso-f:iam::111122223333:root"]}
    assert venue_with(region="us-isof-north-1", partition="aws-iso-f", **iso).partition == "aws-iso-f"
    state = {"backend": "s3", "bucket": "states", "region": "us-west-9"}
    assert venue_with(partition="aws", state=state).state.region == "us-west-9"
    ledger = {"s3": {"bucket": "books", "region": "us-west-9"}}
    assert venue_with(partition="aws", ledger=ledger).ledger == LedgerBucket("books", "", "us-west-9")


@pytest.mark.parametrize(
    ("region", "partition", "said"),
    [
        ("us-west-9", NOT_GIVEN, "did you mean 'us-west-2'?; if it is a new region, set 'partition' too"),
        ("us-west-2", "aws-cn", "'us-west-2' is a region of the partition 'aws', and 'partition' is 'aws-cn'"),
        ("us-gov-south-1", "aws", "named like the regions of the partition 'aws-us-gov', and 'partition' is 'aws'"),
        ("us-west-9", "aws-iso", "named like the regions of the partition 'aws'"),
        ("us-west2", "aws", "is not an AWS region; did you mean 'us-west-2'?"),
        ("Us-West-2", "aws", "is not an AWS region"),
        ("us-west-9/../x", "aws", "is not an AWS region"),
        ("us-west-2", "aws-gov", "'aws-gov' is not an AWS partition; did you mean 'aws-us-gov'? (known: aws, aws-cn,"),
    ],
)
def test_region_of_another_partition_is_refused(region: str, partition: object, said: str) -> None:
    assert said in problem(region=region, partition=partition).message


@pytest.mark.parametrize(("region", "partition"), PARTITIONS.items())
def test_registry_is_in_the_domain_of_its_partition(region: str, partition: str) -> None:
    venue = venue_with(region=region, trusted_principals=[f"arn:{partition}:iam::111122223333:root"])
    assert venue.registry == f"111122223333.dkr.ecr.{region}.{DNS_SUFFIXES[partition]}"
