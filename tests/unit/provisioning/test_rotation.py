"""What a rotation may change, and what it says of itself; the rotation proper is in tests/functional."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tests.stacks import a_venue
from tests.unit.provisioning.test_venue_snapshot import N, S, handmade, ours, together
from venue_access.errors import UsageError
from venue_access.provisioning.external_id_update import differ_only_in_external_ids
from venue_access.provisioning.results import Rotation
from venue_access.provisioning.rotation import RotationOptions
from venue_access.provisioning.venue_snapshot import Stage


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return differ_only_in_external_ids(json.dumps(one), json.dumps(other))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (ours(S), ours(S, N)),
        (ours(S, N), ours(N)),
        (ours(S), ours(N)),
        (ours(S), together(ours(S))),
    ],
)
def test_policies_of_a_rotation_differ_only_in_ids(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert same(before, after)


def test_list_of_one_is_not_a_difference() -> None:
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
def test_other_changes_are_differences(after: dict[str, Any]) -> None:
    assert not same(ours(S), after)


@pytest.mark.parametrize("other", [{"grace": timedelta(hours=1)}, {"repair": True}])
def test_finish_excludes_grace_and_repair(other: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"--finish and --(grace|repair) exclude each other"):
        RotationOptions(finish=True, **other)


def test_dry_run_names_the_action() -> None:
    actions = [each.action for each in (RotationOptions(), RotationOptions(finish=True), RotationOptions(repair=True))]
    assert actions == ["rotate", "complete a rotation of", "repair"]


@pytest.mark.parametrize(
    ("ended", "rotated", "line"),
    [
        (Stage.STABLE, True, "unity-dev: the external ID was rotated"),
        (Stage.STABLE, False, "unity-dev: no rotation is in progress"),
        (
            Stage.PROMOTED,
            True,
            "unity-dev: the new external ID is in use; the old one is still accepted; retire it with:"
            " invoke rotate-external-id --venue unity-dev --finish",
        ),
    ],
)
def test_result_line(ended: Stage, rotated: bool, line: str) -> None:
    assert Rotation(a_venue(), Stage.STABLE, ended, [], rotated).line() == line


def test_result_line_with_a_grace_period() -> None:
    until = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)
    line = Rotation(a_venue(), Stage.STABLE, Stage.PROMOTED, [], True, until).line()
    assert "the old one is still accepted (grace period until 2026-11-20 12:00 UTC); retire it with: " in line


def test_result_document() -> None:
    assert Rotation(a_venue(), Stage.PENDING, Stage.STABLE, ["one", "two"], True).document() == {
        "venue": "unity-dev",
        "began": "pending",
        "ended": "stable",
        "steps": ["one", "two"],
        "complete": True,
        "grace_until": None,
    }
