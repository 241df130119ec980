"""The snapshot of a venue, and the state of a rotation: each row of the table, and what matches none of them."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from typing import Any

import pytest

from tests.stacks import a_venue
from venue_access.aws.client import LiveRole, Parameter
from venue_access.errors import UsageError
from venue_access.policies.documents import ExternalIds, trust_policy
from venue_access.provisioning.venue_snapshot import (
    Stage,
    VenueSnapshot,
    ids_for_provisioning,
    is_importable,
    new_external_id,
    rotation_state,
)
from venue_access.sensitive import ExternalId

S, N, OTHER = "id-of-old", "id-of-new", "id-of-nobody"
MOMENT = datetime(2026, 11, 20, tzinfo=timezone.utc)


def live(policy: dict[str, Any] | None, stored: str | None) -> VenueSnapshot:
    role = None
    if policy is not None:
        role = LiveRole(a_venue().role_arn, "AROAEXAMPLE", "/", policy, 3600, None)
    return VenueSnapshot(role, None if stored is None else Parameter(ExternalId(stored), 1, MOMENT))


def ours(current: str, pending: str | None = None) -> dict[str, Any]:
    return trust_policy(a_venue(), ExternalIds(ExternalId(current), (pending and ExternalId(pending)) or None))


def handmade(*ids: str, sid: str | None = None, operator: str = "StringEquals") -> dict[str, Any]:
    """A role's trust policy as people write it."""
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
        "Action": "sts:AssumeRole",
    }
    if sid:
        statement["Sid"] = sid
    if ids:
        statement["Condition"] = {operator: {"sts:ExternalId": ids[0] if len(ids) == 1 else list(ids)}}
    return {"Version": "2012-10-17", "Statement": statement}


def trusting(policy: dict[str, Any], principals: str | list[str]) -> dict[str, Any]:
    statements = [{**each, "Principal": {"AWS": principals}} for each in policy["Statement"]]
    return {**policy, "Statement": statements}


def together(*policies: dict[str, Any]) -> dict[str, Any]:
    statements = [
        each
        for policy in policies
        for each in (policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]])
    ]
    return {"Version": "2012-10-17", "Statement": statements}


@pytest.mark.parametrize(
    ("policy", "stored", "stage", "ids"),
    [
        (None, None, Stage.ABSENT, None),
        (None, S, Stage.ABSENT, None),
        (ours(S), S, Stage.STABLE, (S, None)),
        (ours(S, N), S, Stage.PENDING, (S, N)),
        (ours(S, N), N, Stage.PROMOTED, (S, N)),
        (ours(S), None, Stage.PARAMETER_LOST, (S, None)),
        (ours(S, N), None, Stage.PARAMETER_LOST, (S, N)),
        (ours(S, S), S, Stage.PROMOTED, (S, S)),
    ],
)
def test_stage_of_each_row_of_the_table(
    policy: dict[str, Any] | None, stored: str | None, stage: Stage, ids: tuple[str, str | None] | None
) -> None:
    state = rotation_state(live(policy, stored))
    assert state.stage is stage
    expected = ids and ExternalIds(ExternalId(ids[0]), ExternalId(ids[1]) if ids[1] else None)
    assert state.ids == expected


BROKEN = {
    "P in neither": (ours(S), OTHER, "the trust policy does not accept the parameter's external ID"),
    "P in neither of two": (ours(S, N), OTHER, "the trust policy does not accept the parameter's external ID"),
    "no condition": (handmade(), S, "without an external ID"),
    "one of two without": (together(ours(S), handmade()), S, "without an external ID"),
    "if exists": (handmade(S, sid="Current", operator="StringEqualsIfExists"), S, "without an external ID"),
    "any of a set": (handmade(S, sid="Current", operator="ForAnyValue:StringEquals"), S, "without an external ID"),
    "no Sid": (handmade(S), S, "not written by this kit, or was edited by hand"),
    "another Sid": (together(ours(S), handmade(OTHER, sid="Mine")), S, "edited by hand"),
    "two IDs in one": (handmade(S, OTHER, sid="Current"), S, "edited by hand"),
    "Pending alone": (handmade(S, sid="Pending"), S, "no statement Current"),
    "who was deleted": (trusting(ours(S), "AROAEXAMPLEOFADELETED"), S, "trusts a deleted principal"),
    "users who were": (trusting(ours(S), ["AIDAEXAMPLEONE", "AIDAEXAMPLETWO"]), S, "trusts a deleted principal"),
    "nothing": ({"Version": "2012-10-17", "Statement": []}, S, "no statement Current"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_other_combinations_are_broken_with_a_reason_without_an_id(case: str) -> None:
    policy, stored, reason = BROKEN[case]
    state = rotation_state(live(policy, stored))
    assert state.stage is Stage.BROKEN
    assert reason in state.reason
    assert not re.search("id-of", state.reason)
    assert state.ids is None


def test_deleted_principal_beside_another_is_not_broken() -> None:
    both = trusting(ours(S), ["AROAEXAMPLEOFADELETED", "arn:aws:iam::111122223333:root"])
    assert rotation_state(live(both, S)).stage is Stage.STABLE


def test_missing_role_with_a_parameter_has_a_reason() -> None:
    assert "its role is missing, though its SSM parameter exists" in rotation_state(live(None, S)).reason
    assert rotation_state(live(None, None)).reason == ""


def test_statement_for_session_tags_has_no_external_id() -> None:
    session = handmade(sid="Session")
    session["Statement"]["Action"] = ["sts:SetSourceIdentity", "sts:TagSession"]
    assert rotation_state(live(together(ours(S), session), S)).stage is Stage.STABLE


@pytest.mark.parametrize(
    ("policy", "stored", "expected"),
    [
        (ours(S), S, (S, None)),
        (ours(S, N), S, (S, N)),
        (ours(S, N), N, (S, N)),
        (ours(S), None, (S, None)),
        (None, S, (S, None)),
        (together(handmade(S, sid="Current"), handmade(N, sid="Incoming")), N, (S, N)),  # an earlier release's Sid
        (handmade(S), None, (S, None)),
        (handmade(S), S, (S, None)),
        (handmade(S, OTHER), S, (S, None)),
        (handmade(), S, (S, None)),
    ],
)
def test_provisioning_keeps_the_id_in_use(
    policy: dict[str, Any] | None, stored: str | None, expected: tuple[str, str | None]
) -> None:
    current, pending = expected
    kept = ids_for_provisioning({"unity-dev": live(policy, stored)}, a_venue())
    assert kept == ExternalIds(ExternalId(current), ExternalId(pending) if pending else None)
    if policy is not None and rotation_state(live(policy, stored)).stage is Stage.BROKEN:
        assert is_importable(live(policy, stored))


@pytest.mark.parametrize("policy", [None, handmade()])
def test_provisioning_creates_an_id_if_none_is_in_use(policy: dict[str, Any] | None) -> None:
    made = ids_for_provisioning({"unity-dev": live(policy, None)}, a_venue())
    assert made.pending is None
    assert made != ids_for_provisioning({"unity-dev": live(policy, None)}, a_venue())


@pytest.mark.parametrize(
    ("policy", "stored"),
    [(ours(S), OTHER), (handmade(S), OTHER), (handmade(S, OTHER), None), (handmade(S, N), OTHER)],
)
def test_provisioning_refers_to_repair_if_the_id_in_use_is_unclear(policy: dict[str, Any], stored: str | None) -> None:
    with pytest.raises(UsageError, match="--repair") as refused:
        ids_for_provisioning({"unity-dev": live(policy, stored)}, a_venue())
    assert "id-of" not in str(refused.value)
    assert not is_importable(live(policy, stored))


def test_new_ids_are_valid_and_unique() -> None:
    made = [new_external_id() for _ in range(100)]
    assert len(set(made)) == 100
    for each in made:
        assert each.fits
        assert re.fullmatch(r"va\.[\w-]{40}", each.reveal())


def test_rotation_state_does_not_print_an_id() -> None:
    shown = repr(rotation_state(live(ours(S, N), N))) + repr(live(ours(S), S))
    assert json.dumps(shown)
    assert N not in repr(rotation_state(live(ours(S, N), N)))


CURRENT = {
    "Sid": "Current",
    "Effect": "Allow",
    "Action": "sts:AssumeRole",
    "Condition": {"StringEquals": {"sts:ExternalId": "one"}},
}


def a_role(**changes: Any) -> LiveRole:
    values: dict[str, Any] = {
        "arn": a_venue().role_arn,
        "role_id": "AROAEXAMPLE",
        "path": "/",
        "trust_policy": {"Statement": [CURRENT]},
        "max_session_duration": 3600,
        "permissions_boundary_arn": None,
    }
    return LiveRole(**{**values, **changes})


def a_parameter(value: str = "one") -> Parameter:
    return Parameter(ExternalId(value), 1, MOMENT)


def test_snapshots_have_the_same_ids_until_one_changes() -> None:
    before = VenueSnapshot(a_role(), a_parameter())
    assert before.has_same_ids(VenueSnapshot(a_role(max_session_duration=7200), a_parameter()))
    assert not before.has_same_ids(VenueSnapshot(a_role(), a_parameter("two")))
    assert not before.has_same_ids(VenueSnapshot(None, a_parameter()))
