"""What a run leaves alone: siblings whose inventory has changed since they were applied, and what it only warns of."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from venue_access.aws.parameters import secure_string_steps
from venue_access.aws.types import SECURE_STRING
from venue_access.inventory.model import Venue
from venue_access.policies import documents as policies
from venue_access.policies.compare import external_ids_in, meaning, without_external_ids
from venue_access.policies.documents import PENDING, ExternalIds, Policy, parse_policy
from venue_access.provisioning.grace import GRACE_TAG
from venue_access.provisioning.state_migration import moving
from venue_access.provisioning.tags import tags
from venue_access.sensitive import REDACTED, ExternalId


def left_alone(
    venues: Iterable[Venue],
    ids: Mapping[str, ExternalIds],
    parameter_types: Mapping[str, str],
    departed: Mapping[str, str | None],
    stack: str,
) -> Iterator[str]:
    """Yield a warning for each thing of a stack that a run does not change.

    :param venues: those that the run is on.
    :param departed: the venues of the state that left the stack, and the stack that the inventory now has them in.
    """
    for venue in venues:
        if ids[venue.name].pending is not None:
            yield f"{venue.name}: a rotation of its external ID is under way; it is left where it is"
        if parameter_types.get(venue.name, SECURE_STRING) != SECURE_STRING and venue.external_id_kms_key is not None:
            yield f"{venue.name}: external_id_kms_key is not applied; {secure_string_steps(venue)}"
    for name in sorted(departed):
        told = f"{name} left the inventory and is in AWS still", f"invoke deprovision --venue {name} takes it away"
        elsewhere = departed[name]
        yield ": ".join(told if elsewhere is None else moving(name, elsewhere, stack))


def outdated_siblings(siblings: Iterable[Venue], state: Mapping[str, Any]) -> list[str]:
    """Return the venues whose inventory has changed since they were applied, each with what has changed."""
    changed = {venue.name: changed_since_applied(venue, state) for venue in siblings}
    return [f"{name} ({', '.join(what)})" for name, what in changed.items() if what]


def changed_since_applied(venue: Venue, state: Mapping[str, Any]) -> list[str]:
    """In what the venue's rendering has changed since; nothing where Terraform would find nothing to do.

    Buckets and a boundary that only AWS knows are not looked up.

    :param state: of the venue's stack (state format version 4).
    """
    applied = dict(_applied(venue.name, state))
    role = applied.get("aws_iam_role.this")
    if role is None:
        return ["not provisioned"]
    there = {
        "tags": {key: value for key, value in (role.get("tags") or {}).items() if key != GRACE_TAG},
        "role_path": role.get("path"),
        "max_session_duration": role.get("max_session_duration"),
        "permissions_boundary": role.get("permissions_boundary") or None,
    }
    wanted = {
        "tags": tags(venue),
        "role_path": venue.role_path,
        "max_session_duration": venue.max_session_duration,
        "permissions_boundary": venue.permissions_boundary_arn,
    }
    if venue.boundary_parameter is not None:
        del wanted["permissions_boundary"]
    parameter = applied.get("aws_ssm_parameter.external_id", {})
    if venue.external_id_kms_key is not None and parameter.get("type") == SECURE_STRING:
        there["external_id_kms_key"], wanted["external_id_kms_key"] = parameter.get("key_id"), venue.external_id_kms_key
    changed = [key for key, value in wanted.items() if there[key] != value]
    return changed + [what for what, text, policy in _policies(venue, applied) if not _same(text, policy)]


def _policies(venue: Venue, applied: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Any, Policy]]:
    """Each policy: what it is called, its text as it was applied, and as it would be."""
    trust = applied["aws_iam_role.this"].get("assume_role_policy")
    hidden = ExternalId(REDACTED)
    rotating = trust is not None and PENDING in external_ids_in(parse_policy(trust))
    yield "trust policy", trust, policies.trust_policy(venue, ExternalIds(hidden, hidden if rotating else None))
    if venue.s3_buckets is not None:
        yield (
            "S3 policy",
            applied.get("aws_iam_policy.this/s3", {}).get("policy"),
            policies.s3_policy(venue, venue.s3_buckets),
        )
    yield "ECR policy", applied.get("aws_iam_policy.this/ecr", {}).get("policy"), policies.ecr_policy(venue)


def _same(applied: str | None, policy: Policy) -> bool:
    if applied is None:
        return False
    return meaning(without_external_ids(parse_policy(applied))) == meaning(without_external_ids(policy))


def _applied(name: str, state: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The attributes of a venue's resources, by type and name, and key where there is one."""
    for resource in state.get("resources", ()):
        if resource.get("mode") == "managed" and resource.get("module") == f"module.venue[{json.dumps(name)}]":
            for instance in resource["instances"]:
                key = instance.get("index_key")
                yield (
                    f"{resource['type']}.{resource['name']}" + ("" if key is None else f"/{key}"),
                    instance["attributes"],
                )
