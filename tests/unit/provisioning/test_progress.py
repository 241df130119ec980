from __future__ import annotations

from typing import Any

import pytest

from venue_access.provisioning.results import Applied, Reporter, report_event, venue_of

POLICY = 'module.venue["unity-dev"].aws_iam_policy.this["s3"]'


def event(kind: str, action: str = "create", address: str = POLICY) -> dict[str, Any]:
    """A line of Terraform's -json output, without what is not read."""
    return {"type": kind, "hook": {"resource": {"addr": address}, "action": action}}


def test_address_is_split_into_venue_and_resource() -> None:
    assert venue_of(POLICY) == ("unity-dev", 'aws_iam_policy.this["s3"]')
    assert venue_of("aws_iam_role.this") == (None, "aws_iam_role.this")


def reported(event: dict[str, Any]) -> tuple[list[str], list[str], Applied | None]:
    details: list[str] = []
    lines: list[str] = []
    applied = report_event(Reporter(detail=details.append, line=lines.append), event)
    return details, lines, applied


@pytest.mark.parametrize(
    ("message", "details"),
    [
        (event("apply_start"), ['unity-dev: creating aws_iam_policy.this["s3"]']),
        (event("apply_progress", "delete"), ['unity-dev: destroying aws_iam_policy.this["s3"]']),
        (event("refresh_start"), ['unity-dev: reading aws_iam_policy.this["s3"]']),
        (event("apply_start", address="data.x.y"), []),
        ({"type": "version", "terraform": "1.11.4"}, []),
    ],
)
def test_activity_is_a_detail(message: dict[str, Any], details: list[str]) -> None:
    assert reported(message) == (details, [], None)


def test_applied_resource_is_a_line() -> None:
    applied = Applied("unity-dev", "update", POLICY)
    line = 'unity-dev: changed aws_iam_policy.this["s3"]'
    assert reported(event("apply_complete", "update")) == ([], [line], applied)
    assert reported(event("apply_errored")) == ([], [], None)
    assert reported(event("apply_complete", "read")) == ([], [], None)  # a data source is not a resource of ours
