"""The snapshot of a venue."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from tests.stacks import a_venue
from venue_access.aws.client import LiveRole, Parameter
from venue_access.provisioning.venue_snapshot import VenueSnapshot
from venue_access.sensitive import ExternalId

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
    return Parameter(ExternalId(value), 1, datetime(2026, 11, 20, tzinfo=timezone.utc))


def test_snapshots_have_the_same_ids_until_one_changes() -> None:
    before = VenueSnapshot(a_role(), a_parameter())
    assert before.has_same_ids(VenueSnapshot(a_role(max_session_duration=7200), a_parameter()))
    assert not before.has_same_ids(VenueSnapshot(a_role(), a_parameter("two")))
    assert not before.has_same_ids(VenueSnapshot(None, a_parameter()))
