"""A rotation warns where nothing but a shared state would protect it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.stacks import a_stack, a_venue
from tests.unit.provisioning.test_rotation_state import live
from venue_access.aws.client import AwsClient, Credentials, Endpoint
from venue_access.config import Settings
from venue_access.errors import RenderError
from venue_access.inventory.model import StateBackend
from venue_access.policies.documents import ExternalIds
from venue_access.provisioning.external_id_update import ExternalIdUpdate
from venue_access.provisioning.results import Reporter
from venue_access.provisioning.root_module import RootModule
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
