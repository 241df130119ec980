"""Venues of an inventory that conflict with each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.inventory.builders import inventory_of, problems, venue_with
from venue_access.inventory.venues import build_venues

ROOT = Path(__file__).parents[3]


def test_roles_differing_only_in_case_are_refused() -> None:
    (found,) = problems(unity_dev={}, unity_DEV={"ecr_repository_prefixes": ["other/"], "stack": "other"})
    assert (
        found.message == "'unity-unity-DEV-sts' is also the role of unity-dev, in the same account (IAM ignores case)"
    )


def test_same_role_name_in_two_accounts_is_valid() -> None:
    other = {"account_id": "444455556666", "stack": "other", "s3_buckets": ["data"]}
    assert len(build_venues(inventory_of(unity_dev={"s3_buckets": ["data"]}, unity_DEV=other))) == 2


def test_shared_bucket_of_an_account_is_refused() -> None:
    (found,) = problems(unity_dev={"s3_buckets": ["data"]}, unity_test={"s3_buckets": ["more", "data"]})
    assert str(found) == (
        "hosts.yml: unity-test: s3_buckets: the bucket 'data' is also that of unity-dev, whose data a token would reach"
    )


@pytest.mark.parametrize("inner", ["team/", "team/inner/"])
def test_equal_or_nested_repository_prefixes(inner: str) -> None:
    hosts: dict[str, dict[str, Any]] = {
        "unity_dev": {"ecr_repository_prefixes": ["team/"]},
        "unity_test": {"ecr_repository_prefixes": [inner]},
    }
    (found,) = problems(**hosts)
    assert f"{inner!r} lies within 'team/' of unity-dev" in found.message
    hosts["unity_test"]["region"] = "us-east-1"
    assert build_venues(inventory_of(**hosts))


def test_repository_prefixes_are_a_list() -> None:
    venue = venue_with(ecr_repository_prefixes=["unity-dev/", "tropess/"])
    assert venue.ecr_repository_prefixes == ("unity-dev/", "tropess/")
    assert venue.has_repository("tropess/py-tropess")
    assert not venue.has_repository("tropess/")
    assert not venue.has_repository("unity/x")


def test_prefixes_are_compared_pairwise() -> None:
    def of(*prefixes: str, shared: bool = False) -> dict[str, Any]:
        return {"ecr_repository_prefixes": list(prefixes), "ecr_shared": shared}

    (found,) = problems(unity_dev=of("b/", "a/"), unity_test=of("c/", "a/x/y/"))
    assert str(found) == (
        "hosts.yml: unity-test: ecr_repository_prefixes: 'a/x/y/' lies within 'a/' of unity-dev, whose tokens would"
        " reach it; if that is intended, set ecr_shared: true for both venues"
    )
    assert build_venues(inventory_of(unity_dev=of("a/", "a/b/"), unity_test=of("c/")))


@pytest.mark.parametrize("other", ["a/", "a/b/"])
def test_shared_prefixes_overlap_only_if_both_venues_share_them(other: str) -> None:
    def of(prefix: str, shared: bool) -> dict[str, Any]:
        return {"ecr_repository_prefixes": [prefix], "ecr_shared": shared}

    assert build_venues(inventory_of(unity_dev=of("a/", True), unity_test=of(other, True)))
    assert problems(unity_dev=of("a/", True), unity_test=of(other, False))
    assert problems(unity_dev=of("a/", False), unity_test=of(other, True))
    # A venue that does not share stays protected from venues that share among themselves.
    found = problems(unity_dev=of("a/", True), unity_test=of("a/b/", False), unity_ops=of("a/b/c/", True))
    assert [each.venue for each in found] == ["unity-test", "unity-ops"]


def test_prefix_with_the_same_beginning_is_not_nested() -> None:
    assert build_venues(inventory_of(unity_dev={}, unity_dev2={}))


@pytest.mark.parametrize(
    "unlike", [{"region": "us-east-1"}, {"aws_profile": "x"}, {"aws_endpoint_url": "http://x"}, {"emulator": True}]
)
def test_venues_of_one_stack_disagree(unlike: dict[str, Any]) -> None:
    (found,) = problems(unity_dev={"stack": "s"}, unity_test={"stack": "s", **unlike})
    assert found.key in unlike
    assert "venues of one stack share it, and in the stack 's' unity-dev has" in found.message


def test_stacks_differing_only_in_case_are_refused() -> None:
    (found,) = problems(unity_dev={"stack": "s"}, unity_test={"stack": "S"})
    assert "differs only in case from the stack of unity-dev" in found.message
