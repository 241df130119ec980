from __future__ import annotations

from typing import Any

import pytest

from venue_access.provisioning.progress import Done, doing, done, venue_of

POLICY = 'module.venue["unity-dev"].aws_iam_policy.this["s3"]'


def event(kind: str, action: str = "create", address: str = POLICY) -> dict[str, Any]:
    """A line of Terraform's -json output, less what is not read."""
    return {"type": kind, "hook": {"resource": {"addr": address}, "action": action}}


def test_an_address_is_taken_apart_into_venue_and_resource() -> None:
    assert venue_of(POLICY) == ("unity-dev", 'aws_iam_policy.this["s3"]')
    assert venue_of("aws_iam_role.this") == (None, "aws_iam_role.this")


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (event("apply_start"), 'unity-dev: creating aws_iam_policy.this["s3"]'),
        (event("apply_progress", "delete"), 'unity-dev: destroying aws_iam_policy.this["s3"]'),
        (event("refresh_start"), 'unity-dev: reading aws_iam_policy.this["s3"]'),
        (event("apply_start", address="data.x.y"), None),
        ({"type": "version", "terraform": "1.11.4"}, None),
    ],
)
def test_what_terraform_is_about_is_told_in_a_line(told: dict[str, Any], line: str | None) -> None:
    assert doing(told) == line


def test_what_is_finished_is_told_with_its_action() -> None:
    finished = done(event("apply_complete", "update"))
    assert finished == Done("unity-dev", "update", POLICY)
    assert finished is not None
    assert finished.line() == 'unity-dev: changed aws_iam_policy.this["s3"]'
    assert done(event("apply_errored")) is None
    assert done(event("apply_complete", "read")) is None  # a data source is no resource of ours
