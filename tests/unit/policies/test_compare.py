"""What a policy document says, and which external IDs a trust policy accepts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.stacks import a_full_venue, some_ids
from venue_access.policies.compare import external_ids_in, meaning, without_external_ids
from venue_access.policies.documents import trust_policy
from venue_access.sensitive import REDACTED, ExternalId


def a_statement(operator: str = "StringEquals", *ids: str, key: str = "sts:ExternalId", **more: Any) -> dict[str, Any]:
    value = ids[0] if len(ids) == 1 else list(ids)
    condition = {operator: {key: value}} if ids else {}
    return {"Effect": "Allow", "Action": "sts:AssumeRole", "Condition": condition, **more}


def ids_in(*statements: dict[str, Any]) -> dict[str, list[str]]:
    found = external_ids_in({"Statement": list(statements)})
    return {sid: [each.reveal() for each in ids] for sid, ids in found.items()}


def test_external_ids_are_found_by_sid() -> None:
    assert ids_in(
        a_statement("StringEquals", "one", Sid="Current"), a_statement("StringEquals", "two", Sid="Pending")
    ) == {"Current": ["one"], "Pending": ["two"]}


def test_single_statement_and_key_case_are_accepted() -> None:
    policy = {"Statement": a_statement("StringEquals", "one", key="STS:externalid")}
    assert external_ids_in(policy) == {"": (ExternalId("one"),)}


@pytest.mark.parametrize(
    "action", ["sts:*", "*", "sts:Assume*", "STS:AssumeRole", ["sts:TagSession", "sts:AssumeRole"]]
)
def test_action_forms_are_equivalent(action: Any) -> None:
    assert ids_in(a_statement("StringEquals", "one", Action=action)) == {"": ["one"]}


@pytest.mark.parametrize("action", ["sts:TagSession", "sts:AssumeRoleWithSAML", ["sts:SetSourceIdentity"], None])
def test_statement_without_assume_role_is_ignored(action: Any) -> None:
    assert ids_in(a_statement("StringEquals", "one", Action=action)) == {}


def test_statement_with_another_action_may_allow_assume_role() -> None:
    whoever = {"Effect": "Allow", "Principal": {"AWS": "*"}}
    assert ids_in({**whoever, "NotAction": "sts:TagSession"}) == {"": []}
    assert ids_in({**whoever, "NotAction": ["sts:Assume*"]}) == {}


def test_deny_is_not_an_external_id_check() -> None:
    assert ids_in(a_statement("StringEquals", "one", Effect="Deny")) == {}


@pytest.mark.parametrize("operator", ["StringEqualsIfExists", "StringNotEquals", "ForAllValues:StringEquals"])
def test_condition_passed_by_a_missing_id_is_not_a_check(operator: str) -> None:
    assert ids_in(a_statement(operator, "one")) == {"": []}


def test_wildcard_pattern_is_not_a_check() -> None:
    assert ids_in(a_statement("StringLike", "one", "tw*", "thre?")) == {"": ["one"]}


def earlier(policy: dict[str, Any]) -> dict[str, Any]:
    """A trust policy as an earlier release wrote it."""
    statements = [{**each, "Sid": each["Sid"].replace("Pending", "Incoming")} for each in policy["Statement"]]
    return {**policy, "Statement": statements}


def test_trust_policy_of_an_earlier_release_is_understood() -> None:
    venue = a_full_venue()
    today = trust_policy(venue, some_ids(venue, rotating=True))
    before = earlier(today)
    assert [each["Sid"] for each in before["Statement"]] == ["Current", "Incoming", "Session"]
    assert external_ids_in(before) == external_ids_in(today)
    assert list(external_ids_in(before)) == ["Current", "Pending"]
    assert meaning(without_external_ids(before)) == meaning(without_external_ids(today))


def test_external_ids_are_redacted_and_several_are_counted() -> None:
    one, several, none = (
        without_external_ids({"Statement": a_statement("StringEquals", *ids)})["Statement"][0]
        for ids in (["one"], ["one", "two"], [])
    )
    assert one["Condition"] == {"StringEquals": {"sts:ExternalId": REDACTED}}
    assert several["Condition"] == {"StringEquals": {"sts:ExternalId": "2 values"}}
    assert none["Condition"] == {}


def test_order_of_lists_and_statements_and_a_list_of_one_have_no_meaning() -> None:
    one = {"Sid": "a", "Effect": "Allow", "Action": ["s3:GetObject", "S3:putobject"], "Resource": ["*"]}
    same = {"Sid": "a", "Effect": "Allow", "Action": ["s3:PutObject", "s3:GetObject"], "Resource": "*"}
    other = {"Sid": "b", "Effect": "Deny", "Action": "*", "Resource": "*"}
    assert meaning({"Statement": [one, other]}) == meaning({"Statement": [other, same]})
    assert meaning({"Statement": [one]}) != meaning({"Statement": {**same, "Sid": "c"}})
    assert meaning({"Statement": [one]}, sids=False) == meaning({"Statement": {**same, "Sid": "c"}}, sids=False)
