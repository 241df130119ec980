"""Verify a venue: compare its role, check the external ID, and probe a token."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from venue_access.audit.probes import probes
from venue_access.audit.report import Check, Report, compare_policies, compared
from venue_access.aws.client import AwsClient, LiveRole
from venue_access.aws.parameters import (
    BucketInUse,
    find_buckets,
    find_buckets_of_others,
    parameter_metadata,
    secure_string_steps,
)
from venue_access.aws.sessions import caller_in_account, why_not_trusted
from venue_access.aws.types import SECURE_STRING
from venue_access.errors import AccessDenied, UsageError
from venue_access.inventory.model import Venue
from venue_access.ledger.book import OpenLedger, ProofSessions
from venue_access.policies.compare import without_external_ids
from venue_access.policies.documents import ExternalIds, managed_policies, parse_policy, statements_of, trust_policy
from venue_access.policies.revocation import REVOCATION_PREFIX, inline_names, read_inline
from venue_access.provisioning.venue_checks import can_assume, with_boundary
from venue_access.provisioning.venue_snapshot import (
    Stage,
    VenueSnapshot,
    new_external_id,
    read_snapshot,
    rotation_state,
)
from venue_access.sensitive import REDACTED, ExternalId, redact

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
    found = _ACCEPTED if sound else state.reason or state.stage.value
    if state.stage.rotating:
        found += f"; a rotation is under way ({state.stage.value})"
    yield Check("external ID of the parameter", _ACCEPTED, found, sound)
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
    names, _ = inline_names(aws, venue.role_name)
    if not names:
        yield compared("inline policies", _NONE, _NONE)
    for name in sorted(names):
        if not name.startswith(REVOCATION_PREFIX):
            yield Check(f"inline policy {name}", _NONE, "present", False)
            continue
        effects = {each.get("Effect") for each in statements_of(read_inline(aws, venue.role_name, name) or {})}
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


def verify(aws: AwsClient, venue: Venue, open_ledger: OpenLedger, venues: Iterable[Venue] = ()) -> Report:
    """Compare a venue's live role with the inventory, then verify the trust policy and probe a 15-minute token.

    :param open_ledger: opens the venue's ledger, to record the proof sessions.
    :param venues: the venues of the inventory; the probes use one of them as a resource that the token must not reach.
    :raises AccessDenied: the caller cannot read the role.
    :raises ConnectionFailed: AWS does not respond.
    :raises CredentialsError: the credentials are not accepted, or are of another account.
    """
    caller = caller_in_account(aws, venue)  # in another account, nothing would be found
    find_buckets_of_others(aws, [venue], venues)
    try:
        live = read_snapshot(aws, venue)
        buckets, checks = _buckets(aws, venue) if live.role is not None else ((), [])
        checks += check_role(aws, venue, live, buckets)
    except AccessDenied as error:
        needed = f"verify needs the permissions of: invoke operator-policy --venue {venue.name}"
        raise AccessDenied(f"{venue.name}: {error.message}", hint=needed, code=error.code) from error
    if live.role is not None:
        reason = why_not_trusted(venue, caller)
        if live.stored is None:
            reason = "there is no external ID"
        if reason is not None:
            checks.append(Check("a token", "issued", f"not tried: {reason}", None))
        else:
            with ProofSessions("verify", aws, venue).recorded(open_ledger) as sessions:
                checks += _external_id_checks(sessions)
                checks += _token_checks(sessions, live, buckets, _other(venue, venues))
    plain = live.parameter is not None and live.parameter.type != SECURE_STRING
    return Report(
        venue,
        tuple(replace(check, found=redact(check.found, *live.every_id)) for check in checks),
        advice=secure_string_steps(venue) if plain else None,
    )


def _buckets(aws: AwsClient, venue: Venue) -> tuple[Sequence[str], list[Check]]:
    """Return the data buckets, and a check if the platform's parameter names none, or one that has another use."""
    try:
        return find_buckets(aws, venue), []
    except BucketInUse as error:
        wrong = Check(f"data bucket {error.bucket}", "used only for the venue's data", error.reason, False)
        return (error.bucket,), [wrong]
    except UsageError as error:
        expected = f"in s3_buckets, or named by {venue.datastore_parameter}"
        return (), [Check("data bucket", expected, error.message, None)]


def _external_id_checks(sessions: ProofSessions) -> Iterator[Check]:
    for what, external_id in (("without an external ID", None), ("with a wrong external ID", new_external_id())):
        found = "allowed" if can_assume(sessions, external_id) else "refused"
        yield Check(f"sts:AssumeRole {what}", "refused", found, found == "refused")


def _token_checks(
    sessions: ProofSessions, live: VenueSnapshot, buckets: Sequence[str], other: Venue | None
) -> Iterator[Check]:
    venue, external_id = sessions.venue, live.stored
    assert external_id is not None
    tried = "sts:AssumeRole with the stored external ID, for 15 minutes"
    try:
        token = sessions.aws.with_credentials(sessions.assume(external_id).credentials)
    except AccessDenied:
        restriction = "source_cidrs" if venue.source_cidrs else "principal_org_id" if venue.principal_org_id else None
        if restriction is None:
            yield Check(tried, "allowed", "refused", False)
        else:  # whether this caller meets it cannot be determined here
            yield Check(tried, "allowed", f"refused; you may be outside the venue's {restriction}", None)
        return
    yield Check(tried, "allowed", "allowed", True)
    endpoint = sessions.aws.endpoint
    misjudged = () if endpoint is None else endpoint.misjudged_actions
    for probe in probes(venue, buckets, external_id, other, assume=sessions.assume_with, misjudged=misjudged):
        yield probe.check(token)


def _other(venue: Venue, venues: Iterable[Venue]) -> Venue | None:
    """Return another venue, preferably of the same account and region, where a token could reach more."""
    others = [each for each in venues if each.name != venue.name]
    near = [each for each in others if (each.account_id, each.region) == (venue.account_id, venue.region)]
    return next(iter(near or others), None)
