"""What differs between inventory and AWS: a plan attribute by attribute, and what a run does not change.

Nothing confidential is shown: external IDs are redacted, and so is what Terraform marks as sensitive, except policies,
which are shown with their external IDs redacted.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from venue_access.aws.parameters import secure_string_steps
from venue_access.aws.types import SECURE_STRING
from venue_access.inventory.model import Venue
from venue_access.policies import documents as policies
from venue_access.policies.compare import external_ids_in, meaning, without_external_ids
from venue_access.policies.documents import PENDING, ExternalIds, parse_policy
from venue_access.provisioning.stack import tags
from venue_access.provisioning.state import moving
from venue_access.provisioning.venue_snapshot import GRACE_TAG
from venue_access.sensitive import REDACTED, ExternalId, SensitiveStr, redact

_MARKS = {
    ("create",): "+",
    ("update",): "~",
    ("delete",): "-",
    ("delete", "create"): "-/+",
    ("create", "delete"): "+/-",
    ("no-op",): " ",
    ("forget",): ".",
}
"""As in Terraform's own plans."""
_POLICIES = ("assume_role_policy", "policy")
_UNKNOWN = "(known after apply)"


@dataclass(frozen=True)
class Difference:
    """What a plan changes of one resource."""

    mark: str
    address: str
    imported: bool
    attributes: tuple[str, ...]

    def lines(self, address: str) -> list[str]:
        """Return the resource under a name, with its attributes below."""
        return [
            f"{self.mark} {address}{' (imported)' if self.imported else ''}",
            *(f"    {line}" for line in self.attributes),
        ]


def differences(plan: Mapping[str, Any], hide: Iterable[SensitiveStr]) -> Iterator[Difference]:
    """Yield the changes in ``terraform show -json`` of a plan.

    :param hide: every external ID, old or new.
    """
    for resource in plan.get("resource_changes", ()):
        change = resource["change"]
        actions, imported = tuple(change["actions"]), bool(change.get("importing"))
        if resource.get("mode") == "managed" and (imported or actions != ("no-op",)):
            attributes = tuple(redact(line, *hide) for line in _attributes(change))
            yield Difference(_MARKS.get(actions, "?"), resource["address"], imported, attributes)


def _attributes(change: Mapping[str, Any]) -> Iterator[str]:
    before, after = change.get("before") or {}, change.get("after") or {}
    unknown = change.get("after_unknown")
    unknown = {name for name, value in unknown.items() if value is True} if isinstance(unknown, dict) else set()
    sensitive = [mark for key in ("before_sensitive", "after_sensitive") if isinstance(mark := change.get(key), dict)]
    for name in sorted({*before, *after, *unknown}):
        old: Any = before.get(name)
        new: Any = _UNKNOWN if name in unknown else after.get(name)
        if old == new or (old in (None, {}, []) and new in (None, {}, [], _UNKNOWN)):
            continue
        if name == "tags_all" and (old or {}, new or {}) == (before.get("tags") or {}, after.get("tags") or {}):
            continue  # repeats tags
        if name in _POLICIES:
            yield f"{name}:"
            yield from (f"  {line}" for line in _policy_lines(old, new))
        elif any(mark.get(name) for mark in sensitive):
            yield f"{name}: {REDACTED}"
        elif not before:
            yield f"{name}: {_text(new)}"
        elif all(each is None or isinstance(each, dict) for each in (old, new)):
            for key in sorted({*(old or {}), *(new or {})}):  # such as a tag
                was, will = (_text(each[key]) if key in (each or {}) else "(none)" for each in (old, new))
                if was != will:
                    yield f"{name}.{key}: {was} -> {will}"
        else:
            yield f"{name}: {_text(old)} -> {_text(new)}"


def _policy_lines(old: str | None, new: str | None) -> Iterator[str]:
    lines = list(difflib.unified_diff(_pretty(old), _pretty(new), lineterm="", n=2))
    yield from (line for line in lines if not line.startswith(("---", "+++", "@@")))
    if not lines:
        yield "an external ID changes"


def _pretty(policy: str | None) -> list[str]:
    if not policy or policy == _UNKNOWN:
        return [policy] if policy else []
    try:
        return json.dumps(_redacted(json.loads(policy)), indent=2).splitlines()
    except ValueError:
        return [REDACTED]  # it may contain an ID


def _redacted(part: Any) -> Any:
    """Return a part of a policy document with its external IDs redacted, under any condition operator."""
    if isinstance(part, dict):
        return {key: REDACTED if key.lower() == "sts:externalid" else _redacted(value) for key, value in part.items()}
    return [_redacted(each) for each in part] if isinstance(part, list) else part


def _text(value: Any) -> str:
    return value if value == _UNKNOWN else json.dumps(value, sort_keys=True)


def unchanged_warnings(
    venues: Iterable[Venue],
    ids: Mapping[str, ExternalIds],
    parameter_types: Mapping[str, str],
    orphaned: Mapping[str, str | None],
    stack: str,
) -> Iterator[str]:
    """Yield a warning for each thing of a stack that a run does not change.

    :param venues: those that the run is on.
    :param orphaned: the venues of the state that the stack no longer has, with the stack that the inventory gives them.
    """
    for venue in venues:
        if ids[venue.name].pending is not None:
            yield f"{venue.name}: a rotation of its external ID is in progress, and provision does not change it"
        if parameter_types.get(venue.name, SECURE_STRING) != SECURE_STRING and venue.external_id_kms_key is not None:
            yield f"{venue.name}: external_id_kms_key is not applied; {secure_string_steps(venue)}"
    for name, other in sorted(orphaned.items()):
        if other is not None:
            yield ": ".join(moving(name, other, stack))
        else:
            remedy = f"remove it with: invoke deprovision --venue {name}"
            yield f"{name} was removed from the inventory but is still in AWS: {remedy}"


def changed_since_applied(venue: Venue, state: Mapping[str, Any]) -> list[str]:
    """Return what of a venue has changed in the inventory since it was applied.

    Buckets and a boundary that only AWS knows are not looked up.

    :param state: of the venue's stack (state format version 4).
    """
    applied = _applied(venue.name, state)
    role = applied.get("aws_iam_role.this")
    if role is None:
        return ["not provisioned"]
    parameter = applied.get("aws_ssm_parameter.external_id", {})
    trust = role.get("assume_role_policy")
    is_rotating = trust is not None and PENDING in external_ids_in(parse_policy(trust))
    any_id = ExternalId(REDACTED)
    trust_policy = policies.trust_policy(venue, ExternalIds(any_id, any_id if is_rotating else None))
    compared = [
        ("tags", {key: value for key, value in (role.get("tags") or {}).items() if key != GRACE_TAG}, tags(venue)),
        ("role_path", role.get("path"), venue.role_path),
        ("max_session_duration", role.get("max_session_duration"), venue.max_session_duration),
        ("trust policy", _said(trust), _said(trust_policy)),
        (
            "ECR policy",
            _said(applied.get("aws_iam_policy.this/ecr", {}).get("policy")),
            _said(policies.ecr_policy(venue)),
        ),
    ]
    if venue.s3_buckets is not None:
        s3_policy = applied.get("aws_iam_policy.this/s3", {}).get("policy")
        compared.append(("S3 policy", _said(s3_policy), _said(policies.s3_policy(venue, venue.s3_buckets))))
    if venue.boundary_parameter is None:
        boundary = role.get("permissions_boundary") or None
        compared.append(("permissions_boundary", boundary, venue.permissions_boundary_arn))
    if venue.external_id_kms_key is not None and parameter.get("type") == SECURE_STRING:
        compared.append(("external_id_kms_key", parameter.get("key_id"), venue.external_id_kms_key))
    return [name for name, was, wanted in compared if was != wanted]


def _said(policy: str | Mapping[str, Any] | None) -> object:
    """Return what a policy says, without its external IDs."""
    return None if policy is None else meaning(without_external_ids(parse_policy(policy)))


def _applied(name: str, state: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the attributes of a venue's resources by type and name, and key if they have one."""
    found = {}
    for resource in state.get("resources", ()):
        if resource.get("mode") == "managed" and resource.get("module") == f"module.venue[{json.dumps(name)}]":
            for instance in resource["instances"]:
                key = instance.get("index_key")
                kind = f"{resource['type']}.{resource['name']}"
                found[kind if key is None else f"{kind}/{key}"] = instance["attributes"]
    return found
