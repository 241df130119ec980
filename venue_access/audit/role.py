"""Compare the live role, attribute by attribute, with the one that the inventory describes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from venue_access.audit.report import Check, compare_policies, compared
from venue_access.aws.client import AwsClient, LiveRole
from venue_access.aws.parameters import parameter_metadata
from venue_access.aws.types import SECURE_STRING
from venue_access.errors import UsageError
from venue_access.inventory.model import Venue
from venue_access.policies import inline as inline_policies
from venue_access.policies.compare import without_external_ids
from venue_access.policies.documents import ExternalIds, managed_policies, parse_policy, statements_of, trust_policy
from venue_access.policies.revocation import REVOCATION_PREFIX
from venue_access.provisioning.prerequisites import with_boundary
from venue_access.provisioning.rotation_state import Stage, rotation_state
from venue_access.provisioning.venue_snapshot import VenueSnapshot
from venue_access.sensitive import REDACTED, ExternalId

_NONE = "none"
_ACCEPTED = "accepted by the trust policy"


def check_role(aws: AwsClient, venue: Venue, live: VenueSnapshot, buckets: Sequence[str]) -> Iterator[Check]:
    """Yield a check for each attribute of the live role; only the first if there is no role.

    :param buckets: the venue's data buckets; none if they are unknown, and the S3 policy cannot be compared.
    """
    role = live.role
    yield compared(f"role {venue.role_name}", "present", "absent" if role is None else "present")
    if role is None:
        return
    yield compared("role's path", venue.role_path, role.path)
    yield compared("role's maximum session", f"{venue.max_session_duration} s", f"{role.max_session_duration} s")
    yield _boundary(aws, venue, role)
    yield from _trust(venue, live, role)
    yield from _parameter(aws, venue, live)
    yield from _attached(aws, venue, buckets)
    yield from _inline(aws, venue)


def _boundary(aws: AwsClient, venue: Venue, role: LiveRole) -> Check:
    tried, found = "role's permissions boundary", role.permissions_boundary_arn or _NONE
    try:
        return compared(tried, with_boundary(aws, venue).permissions_boundary_arn or _NONE, found)
    except UsageError as error:  # the parameter names no policy; the other checks still run
        return Check(tried, f"the policy that {venue.permissions_boundary} names", f"{found}; {error.message}", None)


def _trust(venue: Venue, live: VenueSnapshot, role: LiveRole) -> Iterator[Check]:
    state = rotation_state(live)
    sound = state.stage is Stage.STABLE or state.stage.rotating
    yield Check("external ID of the parameter", _ACCEPTED, _how(state.stage, state.reason), sound)
    hidden = ExternalId(REDACTED)
    ids = ExternalIds(hidden, hidden if state.stage.rotating else None)
    there = without_external_ids(role.trust_policy)
    yield from compare_policies("trust policy", trust_policy(venue, ids), there, sids_matter=True)


def _parameter(aws: AwsClient, venue: Venue, live: VenueSnapshot) -> Iterator[Check]:
    """Yield checks of the parameter's type, which AWS cannot change in place, and of its KMS key if one is set."""
    if live.parameter is None:
        return
    is_encrypted = live.parameter.type == SECURE_STRING
    yield Check("type of the parameter", f"{SECURE_STRING}, or the existing type", live.parameter.type, True)
    if venue.external_id_kms_key is not None:
        key = parameter_metadata(aws, venue.external_id_parameter).get("KeyId") if is_encrypted else None
        yield compared("KMS key of the parameter", venue.external_id_kms_key, key or _NONE)


def _how(stage: Stage, reason: str) -> str:
    if stage is Stage.STABLE:
        return _ACCEPTED
    if stage.rotating:
        return f"{_ACCEPTED}; a rotation is under way ({stage.value})"
    return reason or stage.value


def _attached(aws: AwsClient, venue: Venue, buckets: Sequence[str]) -> Iterator[Check]:
    attached = aws.attached_policies(venue.role_name)
    rendered = managed_policies(venue, buckets)
    for service, policy in rendered.items():
        arn, name = venue.policy_arn(service), f"policy {venue.policy_name(service)}"
        yield compared(name, "attached", "attached" if arn in attached else "not attached")
        document = _default_version(aws, arn)
        if document is None:
            yield Check(name, "present", "absent", False)
        elif policy is not None:
            yield from compare_policies(name, policy, document)
    for arn in sorted(attached - {venue.policy_arn(service) for service in rendered}):
        yield Check(f"policy {arn}", "not attached", "attached", False)


def _inline(aws: AwsClient, venue: Venue) -> Iterator[Check]:
    names, _ = inline_policies.names_of(aws, venue.role_name)
    if not names:
        yield compared("inline policies", _NONE, _NONE)
    for name in sorted(names):
        if not name.startswith(REVOCATION_PREFIX):
            yield Check(f"inline policy {name}", _NONE, "present", False)
            continue
        answer = aws.call("iam", "get_role_policy", RoleName=venue.role_name, PolicyName=name)
        effects = {each.get("Effect") for each in statements_of(parse_policy(answer["PolicyDocument"]))}
        # The name alone proves nothing: anyone can choose it.
        kinds = "denies only" if effects <= {"Deny"} else "an Allow"
        yield compared(f"inline policy {name}, a revocation", "denies only", kinds)


def _default_version(aws: AwsClient, arn: str) -> Mapping[str, Any] | None:
    """Return the document of a managed policy's default version."""
    policy = aws.find("iam", "get_policy", PolicyArn=arn)
    if policy is None:
        return None
    version = policy["Policy"]["DefaultVersionId"]
    answer = aws.call("iam", "get_policy_version", PolicyArn=arn, VersionId=version)
    return parse_policy(answer["PolicyVersion"]["Document"])
