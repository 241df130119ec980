"""What a rotation may change, and what it says of itself; the rotation proper is in tests/functional."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tests.stacks import a_venue
from tests.unit.provisioning.test_rotation_state import N, S, handmade, ours, together
from venue_access.errors import UsageError
from venue_access.provisioning.external_id_update import same_but_external_ids
from venue_access.provisioning.rotation_state import Stage
from venue_access.provisioning.rotation_terms import Rotation, RotationOptions


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return same_but_external_ids(json.dumps(one), json.dumps(other))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (ours(S), ours(S, N)),
        (ours(S, N), ours(N)),
        (ours(S), ours(N)),
        (ours(S), together(ours(S))),
    ],
)
def test_a_rotation_changes_only_the_ids(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert same(before, after)


def test_a_list_of_one_in_another_order_is_no_difference() -> None:
    listed = handmade(S)
    listed["Statement"] = [{**listed["Statement"], "Action": ["sts:AssumeRole"]}]
    listed["Statement"][0]["Condition"]["StringEquals"] = {"STS:externalid": [N]}
    assert same(listed, handmade(S))  # condition keys ignore case


def _with(policy: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**policy, "Statement": [{**each, **changes} for each in policy["Statement"]]}


@pytest.mark.parametrize(
    "after",
    [
        _with(ours(N), Principal={"AWS": "arn:aws:iam::444455556666:root"}),
        _with(ours(N), Action=["sts:AssumeRole", "sts:TagSession"]),
        _with(ours(N), Condition={"StringEquals": {"sts:ExternalId": N}}),
        together(ours(N), handmade(sid="Session")),
        handmade(),
    ],
)
def test_whatever_else_changes_is_noticed(after: dict[str, Any]) -> None:
    assert not same(ours(S), after)


@pytest.mark.parametrize("other", [{"grace": timedelta(hours=1)}, {"repair": True}])
def test_finishing_excludes_what_would_begin_or_stop_a_rotation(other: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"--finish and --(grace|repair) exclude each other"):
        RotationOptions(finish=True, **other)


def test_a_dry_run_does_not_announce_a_rotation_that_the_flags_exclude() -> None:
    actions = [each.action for each in (RotationOptions(), RotationOptions(finish=True), RotationOptions(repair=True))]
    assert actions == ["rotate", "complete a rotation of", "repair"]


@pytest.mark.parametrize(
    ("ended", "rotated", "line"),
    [
        (Stage.STABLE, True, "unity-dev: the external ID was rotated"),
        (Stage.STABLE, False, "unity-dev: no rotation is under way"),
        (
            Stage.PUBLISHED,
            True,
            "unity-dev: the new external ID is in use; the old one is still accepted; take it out of use with:"
            " invoke rotate-external-id --venue unity-dev --finish",
        ),
    ],
)
def test_the_result_is_a_line(ended: Stage, rotated: bool, line: str) -> None:
    assert Rotation(a_venue(), Stage.STABLE, ended, (), rotated).line() == line


def test_a_grace_period_is_not_said_to_end_by_itself() -> None:
    until = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)
    line = Rotation(a_venue(), Stage.STABLE, Stage.PUBLISHED, (), True, until).line()
    assert "the old one is still accepted (grace period until 2026-11-20 12:00 UTC); take it out of use with: " in line


def test_the_result_is_a_document() -> None:
    assert Rotation(a_venue(), Stage.ANNOUNCED, Stage.STABLE, ("one", "two"), True).document() == {
        "venue": "unity-dev",
        "began": "announced",
        "ended": "stable",
        "steps": ["one", "two"],
        "complete": True,
        "grace_until": None,
    }
