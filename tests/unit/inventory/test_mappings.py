"""The variables that are mappings: ledger and emulator_seed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.inventory.builders import KEY, problem, venue_with
from venue_access.inventory.model import EmulatorSeed, LedgerBucket

ROOT = Path(__file__).parents[3]


def test_ledger_is_local_or_under_a_prefix_of_a_bucket() -> None:
    assert venue_with().ledger is None
    assert venue_with(ledger={"s3": {"bucket": "books"}}).ledger == LedgerBucket("books", "", "us-west-2")
    given = {"bucket": "books", "prefix": "kit", "region": "eu-west-1"}
    assert venue_with(ledger={"s3": given}).ledger == LedgerBucket("books", "kit/", "eu-west-1")
    encrypted = venue_with(ledger={"s3": {**given, "kms_key_id": KEY}}).ledger
    assert encrypted is not None
    assert encrypted.kms_key_id == KEY


@pytest.mark.parametrize(
    ("ledger", "said"),
    [
        ("s3", "expected {s3: {bucket: <name>, prefix: <path>}}, found"),
        ({"bucket": "books"}, "found the keys bucket"),
        ({"s3": {}}, "bucket is required"),
        ({"s3": {"bucket": "Books"}}, "bucket: 'Books' must be a bucket name"),
        ({"s3": {"bucket": "books", "prefx": "a"}}, "unknown key 'prefx'; did you mean 'prefix'?"),
        ({"s3": {"bucket": "books", "prefix": "../a"}}, "prefix: '../a' must be a path"),
        ({"s3": {"bucket": "books", "kms_key_id": "x"}}, "kms_key_id: 'x' must be the ID, alias or ARN of a KMS key"),
        ({"s3": {"bucket": "books", "region": "us-west-9"}}, "region: 'us-west-9' is not an AWS region"),
    ],
)
def test_wrong_ledger(ledger: object, said: str) -> None:
    found = problem(ledger=ledger)
    assert found.key == "ledger"
    assert said in found.message


@pytest.mark.parametrize(
    ("seed", "said"),
    [
        ("x", "expected a mapping such as {permissions_boundaries: [<name>]}, found a string"),
        ({"boundaries": []}, "unknown key 'boundaries'"),
        ({"permissions_boundaries": "x"}, "permissions_boundaries: expected a list, found a string"),
        ({"permissions_boundaries": ["a b"]}, "permissions_boundaries: 'a b' must be the name of a policy"),
        ({"permissions_boundaries": ["arn:aws:iam::aws:policy/x"]}, "is AWS's own policy"),
        ({"permissions_boundaries": ["arn:aws:iam::444455556666:policy/x"]}, "is a policy of account 444455556666"),
        ({"permissions_boundaries": ["x", "x"]}, "permissions_boundaries: duplicate x"),
    ],
)
def test_wrong_emulator_seed(seed: object, said: str) -> None:
    found = problem(emulator_seed=seed, emulator=True)
    assert found.key == "emulator_seed"
    assert said in found.message


def test_emulator_seed_is_only_for_venues_of_the_emulator() -> None:
    seed = {"permissions_boundaries": ["platform/boundary"]}
    assert venue_with(emulator_seed=seed, emulator=True).emulator_seed == EmulatorSeed(("platform/boundary",))
    assert "is only for venues with 'emulator: true'" in problem(emulator_seed=seed).message
    assert venue_with(emulator_seed={}).emulator_seed == EmulatorSeed()
