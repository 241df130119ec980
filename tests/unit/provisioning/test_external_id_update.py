"""A change of the trust policy warns where only a shared state would protect it; the tag that ends a grace period."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, cast

import pytest

from tests.stacks import a_stack, a_venue
from tests.unit.provisioning.test_venue_snapshot import live
from venue_access.aws.client import AwsClient, Credentials, Endpoint, LiveRole, Parameter
from venue_access.config import Settings
from venue_access.errors import RenderError, UsageError
from venue_access.inventory.model import StateBackend
from venue_access.policies.documents import ExternalIds
from venue_access.provisioning.external_id_update import ExternalIdUpdate, check_grace_over, set_grace, update_grace
from venue_access.provisioning.results import Reporter
from venue_access.provisioning.root_module import RootModule
from venue_access.provisioning.venue_snapshot import GRACE_TAG, VenueSnapshot, grace_until
from venue_access.sensitive import ExternalId, Secret

S3 = StateBackend("s3", bucket="states")


@pytest.mark.parametrize(
    ("variables", "endpoint", "warnings"),
    [
        ({}, None, 1),
        ({"state": S3}, None, 0),
        ({}, Endpoint("https://127.0.0.1:1", is_local=True), 0),
        ({"stack": "several"}, None, 1),
    ],
)
def test_rotation_with_a_local_state_warns_once(
    tmp_path: Path, variables: dict[str, Any], endpoint: Endpoint | None, warnings: int
) -> None:
    """The endpoint of a local emulator is reached from no other machine."""
    said: list[str] = []
    venue = a_venue(s3_buckets=(), **variables)
    aws = AwsClient(region="us-west-2", credentials=Credentials("AKIA", Secret("none")), endpoint=endpoint)
    root = RootModule(Settings(tmp_path, tmp_path, tmp_path), a_stack(venue), aws)
    change = ExternalIdUpdate(root, venue, aws, Reporter(warn=said.append), repair=False)
    for _ in range(2):
        with pytest.raises(RenderError, match="no data bucket is known"):
            change.apply(live(None, None), ExternalIds(ExternalId("an-id")))
    assert len(said) == warnings
    assert all("only a state in S3 protects a rotation" in text for text in said)


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
    set_grace(cast(AwsClient, aws), a_venue(), a_live(None), None)
    assert aws.calls == []
    set_grace(cast(AwsClient, aws), a_venue(), a_live("2026-11-20T13:00:00Z"), None)
    assert aws.calls == [("untag_role", [GRACE_TAG])]
