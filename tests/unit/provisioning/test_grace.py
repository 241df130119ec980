"""The end of a grace period: the tag of the role, and what it prevents."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, cast

import pytest

from tests.stacks import a_venue
from venue_access.aws.client import AwsClient, LiveRole, Parameter
from venue_access.errors import UsageError
from venue_access.provisioning.external_id_update import check_grace_over, clear_grace, update_grace
from venue_access.provisioning.rotation_state import GRACE_TAG, grace_until
from venue_access.provisioning.venue_snapshot import VenueSnapshot
from venue_access.sensitive import ExternalId

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)


class Iam:
    """Stand in for AWS, and record the calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    def call(self, service: str, operation: str, **request: Any) -> None:
        self.calls.append((operation, request.get("Tags") or request.get("TagKeys")))


def a_live(tag: str | None) -> VenueSnapshot:
    tags = {} if tag is None else {GRACE_TAG: tag}
    role = LiveRole("arn", "AROA", "/", {}, 3600, None, tags)
    return VenueSnapshot(role, Parameter(ExternalId("the-new-id"), 2, NOON))


@pytest.mark.parametrize("tag", [None, "", "soon", "2026-11-20"])
def test_missing_or_edited_tag_is_ignored(tag: str | None) -> None:
    live = a_live(tag)
    assert grace_until(live) is None
    check_grace_over(a_venue(), live, NOON)


def test_grace_period_does_not_end_early() -> None:
    live = a_live("2026-11-20T13:00:00Z")
    assert grace_until(live) == NOON + HOUR
    with pytest.raises(UsageError, match=r"accepted until 2026-11-20 13:00 UTC\n.*--venue unity-dev --finish"):
        check_grace_over(a_venue(), live, NOON)
    check_grace_over(a_venue(), live, NOON + HOUR)


@pytest.mark.parametrize(
    ("tag", "grace", "until", "written"),
    [
        (None, HOUR, "2026-11-20T13:00:00Z", True),
        ("2026-11-20T13:02:00Z", HOUR, "2026-11-20T13:02:00Z", False),
        ("2026-11-20T13:00:00Z", 2 * HOUR, "2026-11-20T14:00:00Z", True),
        ("2026-11-20T14:00:00Z", HOUR, "2026-11-20T13:00:00Z", True),
        ("2026-11-20T14:00:00Z", None, "2026-11-20T14:00:00Z", False),
    ],
)
def test_changed_end_is_written(tag: str | None, grace: timedelta | None, until: str, written: bool) -> None:
    aws = Iam()
    found = update_grace(cast(AwsClient, aws), a_venue(), a_live(tag), grace, NOON)
    assert f"{found:%Y-%m-%dT%H:%M:%SZ}" == until
    assert aws.calls == ([("tag_role", [{"Key": GRACE_TAG, "Value": until}])] if written else [])


def test_only_an_existing_tag_is_removed() -> None:
    aws = Iam()
    clear_grace(cast(AwsClient, aws), a_venue(), a_live(None))
    assert aws.calls == []
    clear_grace(cast(AwsClient, aws), a_venue(), a_live("2026-11-20T13:00:00Z"))
    assert aws.calls == [("untag_role", [GRACE_TAG])]
