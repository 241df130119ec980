"""The venues that are provisioned, as an Ansible dynamic inventory: pure.

The source: Ansible Developer Guide, "Developing dynamic inventory", inventory scripts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from venue_access.provisioning.rotation_state import Stage
from venue_access.provisioning.status import VenueStatus


def provisioned_only(listed: Mapping[str, Any], statuses: Sequence[VenueStatus]) -> dict[str, Any]:
    """What ``ansible-inventory --list`` prints, kept to what is provisioned.

    :param listed: the inventory's own such document. Its variables stay; those of each venue get what a playbook needs
        of it, under names that begin with ``venue_``. A venue is no machine, so it is worked on from this one.
    """
    there = {each.venue.name: each for each in statuses if each.stage not in (None, Stage.ABSENT)}
    own = listed["_meta"]["hostvars"]
    document: dict[str, Any] = {}
    for group, about in listed.items():
        if group == "_meta":
            continue
        document[group] = dict(about)
        if "hosts" in about:
            document[group]["hosts"] = [host for host in about["hosts"] if host in there]
    hostvars = {name: {"ansible_connection": "local", **own.get(name, {}), **_facts(there[name])} for name in there}
    return {"_meta": {"hostvars": hostvars}, **document}


def _facts(status: VenueStatus) -> dict[str, Any]:
    venue = status.venue
    return {
        "venue_role_arn": venue.role_arn,
        "venue_external_id_parameter": venue.external_id_parameter,
        "venue_s3_buckets": list(venue.s3_buckets or ()),
        "venue_ecr_repository_prefixes": list(venue.ecr_repository_prefixes),
        "venue_max_session_duration": status.role_maximum,
        "venue_rotating": status.stage is not None and status.stage.rotating,
    }
