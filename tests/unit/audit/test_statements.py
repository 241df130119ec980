"""Policies compared by what they mean, and told apart by statement and element."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stacks import a_full_venue, a_venue, some_ids
from venue_access.audit.report import compare_policies
from venue_access.policies.compare import without_external_ids
from venue_access.policies.documents import Policy, ecr_policy, s3_policy, trust_policy
from venue_access.sensitive import REDACTED

S3 = s3_policy(a_venue(), ["data"])
POLICIES = [
    S3,
    ecr_policy(a_venue()),
    s3_policy(a_full_venue(), ["data", "more"]),
    without_external_ids(trust_policy(a_full_venue(), some_ids(a_full_venue(), rotating=True))),
]


def differences(expected: Policy, live: Policy, *, sids_matter: bool = False) -> list[tuple[str, str]]:
    checks = compare_policies("policy", expected, live, sids_matter=sids_matter)
    return [(check.tried.removeprefix("policy, "), check.found) for check in checks if not check.holds]


def rewritten(value: Any, mix: random.Random) -> Any:
    """The same policy as somebody else may write it: lists in another order, one value in a list."""
    if isinstance(value, dict):
        items = list(value.items())
        mix.shuffle(items)
        return {
            key: [each] if isinstance(each, str) and key in ("Action", "Resource") else rewritten(each, mix)
            for key, each in items
        }
    if isinstance(value, list):
        return mix.sample([rewritten(each, mix) for each in value], len(value))
    return value


@given(policy=st.sampled_from(POLICIES), mix=st.randoms(use_true_random=False))
def test_order_and_form_of_lists_do_not_differ(policy: Policy, mix: random.Random) -> None:
    assert differences(policy, rewritten(policy, mix), sids_matter=True) == []


@pytest.mark.parametrize("policy", POLICIES)
def test_each_removed_value_differs(policy: Policy) -> None:
    for number, statement in enumerate(policy["Statement"]):
        for element in set(statement) - {"Sid"}:
            changed = copy.deepcopy(policy)
            value = changed["Statement"][number][element]
            if isinstance(value, list):
                gone = value.pop()
                ((_, found),) = differences(policy, changed, sids_matter=True)
                assert f"{element} lacks {gone.lower() if element == 'Action' else gone}" in found
            else:
                del changed["Statement"][number][element]
                assert differences(policy, changed, sids_matter=True)


def change(policy: Policy, sid: str, how: Callable[[dict[str, Any]], Any]) -> Policy:
    changed = copy.deepcopy(policy)
    how(next(each for each in changed["Statement"] if each["Sid"] == sid))
    return changed


def test_added_and_removed_values_are_named() -> None:
    changed = change(S3, "Objects", lambda each: each.update(Action=["s3:GetObject", "s3:*"]))
    assert differences(S3, changed) == [
        (
            "statement Objects",
            "Action also has s3:*, Action lacks s3:abortmultipartupload; s3:listmultipartuploadparts; s3:putobject",
        )
    ]


def test_condition_is_named_by_operator_and_key() -> None:
    changed = change(S3, "TlsOnly", lambda each: each.update(Condition={"Null": {"aws:SecureTransport": "true"}}))
    ((_, found),) = differences(S3, changed)
    assert found == (
        "Condition also has Null aws:securetransport = true, Condition lacks Bool aws:securetransport = false"
    )


def test_sid_is_compared_only_if_it_matters() -> None:
    changed = change(S3, "Objects", lambda each: each.pop("Sid"))
    assert differences(S3, changed) == []
    assert [name for name, _ in differences(S3, changed, sids_matter=True)] == [
        "statement Objects",
        "statement without a Sid",
    ]


def test_swapped_sids_do_not_differ() -> None:
    swap = {"Objects": "Buckets", "Buckets": "Objects", "TlsOnly": "TlsOnly"}
    changed = {**S3, "Statement": [{**each, "Sid": swap[each["Sid"]]} for each in S3["Statement"]]}
    assert differences(S3, changed) == []


def test_extra_statement_and_other_version_differ() -> None:
    more = {"Sid": "More", "Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    changed = {"Version": "2008-10-17", "Statement": [*S3["Statement"], more]}
    assert differences(S3, changed) == [
        ("Version", "2008-10-17"),
        ("statement More", "Effect Allow, Action s3:*, Resource *"),
    ]
    assert ("statement Objects", "none") in differences(S3, {"Version": "2012-10-17", "Statement": []})


@pytest.mark.parametrize(
    ("condition", "shown"),
    [
        ({"StringEquals": {"sts:ExternalId": "hush-hush"}}, REDACTED),
        ({"StringEquals": {"STS:externalid": ["hush-hush"]}}, REDACTED),
        ({"StringLike": {"sts:ExternalId": ["hush-hush", "hush-*"]}}, "2 values"),
        ({"ForAnyValue:StringEquals": {"sts:ExternalId": []}}, "0 values"),
    ],
)
def test_external_id_is_redacted(condition: dict[str, Any], shown: str) -> None:
    statement = {"Sid": "Current", "Effect": "Allow", "Action": "sts:AssumeRole", "Condition": condition}
    masked = without_external_ids({"Version": "2012-10-17", "Statement": statement})
    assert "hush" not in json.dumps(masked)
    assert shown in json.dumps(masked)
    assert masked["Statement"][0]["Sid"] == "Current"
