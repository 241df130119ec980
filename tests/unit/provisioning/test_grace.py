"""The end of a grace period: as the role's tag has it, and what it keeps from being done."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, cast

import pytest

from tests.stacks import a_venue
from venue_access.aws.client import AwsClient, LiveRole, Parameter
from venue_access.errors import UsageError
from venue_access.provisioning.grace import (
    GRACE_TAG,
    check_grace_over,
    clear_grace,
    grace_line,
    grace_until,
    in_grace,
    settle_grace,
)
from venue_access.provisioning.venue_snapshot import VenueSnapshot
from venue_access.sensitive import ExternalId

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)


class Iam:
    """Stands in for AWS: remembers what is called."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    def call(self, service: str, operation: str, **request: Any) -> None:
        self.calls.append((operation, request.get("Tags") or request.get("TagKeys")))


def a_live(tag: str | None) -> VenueSnapshot:
    tags = {} if tag is None else {GRACE_TAG: tag}
    role = LiveRole("arn", "AROA", "/", {}, 3600, None, tags)
    return VenueSnapshot(role, Parameter(ExternalId("the-new-id"), 2, NOON))


@pytest.mark.parametrize("tag", [None, "", "soon", "2026-11-20"])
def test_a_tag_that_is_missing_or_edited_is_no_end(tag: str | None) -> None:
    live = a_live(tag)
    assert grace_until(live) is None
    assert not in_grace(live, NOON)
    check_grace_over(a_venue(), live, NOON)


def test_a_grace_period_is_not_ended_before_its_time() -> None:
    live = a_live("2026-11-20T13:00:00Z")
    assert grace_until(live) == NOON + HOUR
    with pytest.raises(UsageError, match=r"accepted until 2026-11-20 13:00 UTC\n.*--venue unity-dev --finish"):
        check_grace_over(a_venue(), live, NOON)
    assert in_grace(live, NOON)
    check_grace_over(a_venue(), live, NOON + HOUR)
    assert not in_grace(live, NOON + HOUR)


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
def test_another_end_is_written_and_the_same_is_not(
    tag: str | None, grace: timedelta | None, until: str, written: bool
) -> None:
    aws = Iam()
    found = settle_grace(cast(AwsClient, aws), a_venue(), a_live(tag), grace, NOON)
    assert f"{found:%Y-%m-%dT%H:%M:%SZ}" == until
    assert aws.calls == ([("tag_role", [{"Key": GRACE_TAG, "Value": until}])] if written else [])


def test_only_a_tag_that_is_there_is_taken_off() -> None:
    aws = Iam()
    clear_grace(cast(AwsClient, aws), a_venue(), a_live(None))
    assert aws.calls == []
    clear_grace(cast(AwsClient, aws), a_venue(), a_live("2026-11-20T13:00:00Z"))
    assert aws.calls == [("untag_role", [GRACE_TAG])]


def test_an_end_that_has_passed_is_due() -> None:
    assert grace_line(NOON, NOON).endswith("was until 2026-11-20 12:00 UTC: --finish is due")
    assert grace_line(NOON, NOON - HOUR).endswith("is until 2026-11-20 12:00 UTC")
