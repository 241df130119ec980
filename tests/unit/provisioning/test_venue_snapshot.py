"""The snapshot of a venue, and the external IDs in a trust policy."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from tests.stacks import a_venue
from venue_access.aws.client import LiveRole, Parameter
from venue_access.policies.compare import external_ids_in
from venue_access.provisioning.venue_snapshot import VenueSnapshot
from venue_access.sensitive import ExternalId


def a_statement(operator: str = "StringEquals", *ids: str, key: str = "sts:ExternalId", **more: Any) -> dict[str, Any]:
    value = ids[0] if len(ids) == 1 else list(ids)
    condition = {operator: {key: value}} if ids else {}
    return {"Effect": "Allow", "Action": "sts:AssumeRole", "Condition": condition, **more}


def ids_in(*statements: dict[str, Any]) -> dict[str, list[str]]:
    found = external_ids_in({"Statement": list(statements)})
    return {sid: [each.reveal() for each in ids] for sid, ids in found.items()}


def test_external_ids_are_found_by_sid_and_incoming_is_pending() -> None:
    assert ids_in(
        a_statement("StringEquals", "one", Sid="Current"), a_statement("StringEquals", "two", Sid="Incoming")
    ) == {"Current": ["one"], "Pending": ["two"]}


def test_single_statement_and_key_of_any_case() -> None:
    policy = {"Statement": a_statement("StringEquals", "one", key="STS:externalid")}
    assert external_ids_in(policy) == {"": (ExternalId("one"),)}


@pytest.mark.parametrize(
    "action", ["sts:*", "*", "sts:Assume*", "STS:AssumeRole", ["sts:TagSession", "sts:AssumeRole"]]
)
def test_action_may_have_wildcards_and_any_case(action: Any) -> None:
    assert ids_in(a_statement("StringEquals", "one", Action=action)) == {"": ["one"]}


@pytest.mark.parametrize("action", ["sts:TagSession", "sts:AssumeRoleWithSAML", ["sts:SetSourceIdentity"], None])
def test_statement_without_assume_role_is_ignored(action: Any) -> None:
    assert ids_in(a_statement("StringEquals", "one", Action=action)) == {}


def test_not_action_may_allow_assume_role() -> None:
    whoever = {"Effect": "Allow", "Principal": {"AWS": "*"}}
    assert ids_in({**whoever, "NotAction": "sts:TagSession"}) == {"": []}
    assert ids_in({**whoever, "NotAction": ["sts:Assume*"]}) == {}


def test_deny_is_ignored() -> None:
    assert ids_in(a_statement("StringEquals", "one", Effect="Deny")) == {}


@pytest.mark.parametrize("operator", ["StringEqualsIfExists", "StringNotEquals", "ForAllValues:StringEquals"])
def test_condition_that_passes_without_an_id_is_ignored(operator: str) -> None:
    assert ids_in(a_statement(operator, "one")) == {"": []}


def test_string_like_counts_only_without_a_wildcard() -> None:
    assert ids_in(a_statement("StringLike", "one", "tw*", "thre?")) == {"": ["one"]}


def a_role(**changes: Any) -> LiveRole:
    values: dict[str, Any] = {
        "arn": a_venue().role_arn,
        "role_id": "AROAEXAMPLE",
        "path": "/",
        "trust_policy": {"Statement": [a_statement("StringEquals", "one", Sid="Current")]},
        "max_session_duration": 3600,
        "permissions_boundary_arn": None,
    }
    return LiveRole(**{**values, **changes})


def a_parameter(value: str = "one") -> Parameter:
    return Parameter(ExternalId(value), 1, datetime(2026, 11, 20, tzinfo=timezone.utc))


def test_snapshots_have_the_same_ids_until_one_changes() -> None:
    before = VenueSnapshot(a_role(), a_parameter())
    assert before.has_same_ids(VenueSnapshot(a_role(max_session_duration=7200), a_parameter()))
    assert not before.has_same_ids(VenueSnapshot(a_role(), a_parameter("two")))
    assert not before.has_same_ids(VenueSnapshot(None, a_parameter()))
