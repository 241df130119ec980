"""The Ansible inventory of what is provisioned."""

from __future__ import annotations

from typing import Any

from tests.stacks import a_venue
from venue_access.provisioning.dynamic import provisioned_only
from venue_access.provisioning.rotation_state import Stage
from venue_access.provisioning.status import VenueStatus

DEV, TEST, PROD = a_venue("unity-dev"), a_venue("unity-test"), a_venue("unity-prod")
LISTED: dict[str, Any] = {
    "_meta": {"hostvars": {"unity-dev": {"mine": 1, "ansible_connection": "ssh"}, "unity-prod": {"mine": 2}}},
    "all": {"children": ["ungrouped", "unity"]},
    "unity": {"hosts": ["unity-dev", "unity-test", "unity-prod"]},
}


def test_what_is_not_there_or_cannot_be_told_is_left_out_and_the_rest_keeps_its_variables() -> None:
    statuses = [
        VenueStatus(DEV, Stage.STABLE, role_maximum=3600),
        VenueStatus(TEST, Stage.ABSENT),
        VenueStatus(PROD, None),
    ]
    document = provisioned_only(LISTED, statuses)
    assert document["unity"] == {"hosts": ["unity-dev"]}
    assert document["all"] == LISTED["all"]
    (name,) = document["_meta"]["hostvars"]
    found = document["_meta"]["hostvars"][name]
    assert (name, found["mine"], found["ansible_connection"]) == ("unity-dev", 1, "ssh")
    assert found["venue_role_arn"] == DEV.role_arn
    assert found["venue_rotating"] is False
    assert LISTED["unity"]["hosts"] == ["unity-dev", "unity-test", "unity-prod"]
