"""Write a venue's external IDs: the trust policy through a saved Terraform plan, and the end of a grace period.

Two checks keep a change from being based on outdated values: Terraform refuses a saved plan as stale if another plan
was applied to the same state since; and AWS is read again after planning: a plan based on other values is discarded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from venue_access.aws.client import AwsClient
from venue_access.aws.parameters import find_buckets
from venue_access.errors import UsageError
from venue_access.inventory.model import Venue
from venue_access.policies.compare import meaning, without_external_ids
from venue_access.policies.documents import ExternalIds, parse_policy
from venue_access.provisioning.render import managed_resources
from venue_access.provisioning.results import Reporter
from venue_access.provisioning.root_module import RootModule
from venue_access.provisioning.state import check_importable, missing_from_state
from venue_access.provisioning.venue_checks import with_boundary
from venue_access.provisioning.venue_snapshot import (
    GRACE_TAG,
    VenueSnapshot,
    grace_until,
    read_snapshot,
)
from venue_access.times import iso, to_minute

_NOT_IN_AWS = {"force_detach_policies"}  # an attribute of Terraform's alone, which an import does not bring
_CLOCK_SKEW = timedelta(minutes=5)  # AWS refuses a call whose clock differs by more


@dataclass
class ExternalIdUpdate:
    """Changes the external IDs of one venue; the other venues of its stack stay as they are."""

    root: RootModule
    venue: Venue
    aws: AwsClient
    reporter: Reporter
    repair: bool
    """Also apply other differences between role and inventory, except those that destroy something."""
    _warned: bool = False

    def __post_init__(self) -> None:
        # The first and the last of a venue's resources.
        self._role, *_, self._parameter = (each.address for each in managed_resources(self.venue))

    def apply(self, snapshot: VenueSnapshot, ids: ExternalIds, *, role: bool = True, parameter: bool = False) -> bool:
        """Have the trust policy accept ``ids``, and create the ``parameter`` if it is missing.

        :param snapshot: what the change is based on.
        :returns: whether the change was made; not if the venue has changed since the snapshot.
        :raises UsageError: the role differs from the inventory in more than the external ID.
        """
        venue, root, aws = self.venue, self.root, self.aws
        check_importable(venue, snapshot)
        self._warn_of_local_state()

        targets = [self._role] * role + [self._parameter] * parameter
        buckets, external_ids = {venue.name: find_buckets(aws, venue)}, {venue.name: ids}
        root.boundaries[venue.name] = with_boundary(aws, venue).permissions_boundary
        root.write_for(buckets=buckets, external_ids=external_ids)
        known = root.addresses()
        missing = missing_from_state(aws, venue, snapshot, known)
        imports = [each for each in missing if each.address in targets]
        root.write_for(buckets=buckets, external_ids=external_ids, imports=imports, known=known)

        self.reporter.now(f"{venue.name}: planning")
        terraform = root.terraform([*snapshot.every_id, ids.current, *filter(None, [ids.pending])])
        plan = terraform.plan(targets=targets)
        try:
            if any(change.destroys for change in plan.changes):
                raise self._differs("it would be replaced")
            if plan and not self.repair:
                self._check_only_ids(terraform.show(plan)["resource_changes"])
            if read_snapshot(aws, venue) != snapshot:
                self.reporter.line(f"{venue.name}: changed concurrently, retrying")
                return False
            if plan:
                self.reporter.now(f"{venue.name}: changing the external ID")
                terraform.apply(plan)
        finally:
            plan.file.unlink(missing_ok=True)
        return True

    def _warn_of_local_state(self) -> None:
        """Warn once: Terraform's lock and its check for stale plans protect only those who share a state."""
        endpoint = self.aws.endpoint
        is_local = endpoint is not None and endpoint.is_local
        if not self._warned and self.root.stack.state.bucket is None and not is_local:
            self._warned = True
            self.reporter.warn(
                f"{self.venue.name}: its Terraform state is on this machine; only a state in S3 protects a rotation"
                " from one on another machine (set state in the inventory, then: invoke state.migrate)"
            )

    def _check_only_ids(self, changes: Sequence[Mapping[str, Any]]) -> None:
        """Check that a rotation changes nothing else: it neither applies the inventory nor reverts another's change."""
        for resource in changes:
            change, address = resource["change"], resource["address"]
            if resource["mode"] != "managed" or change["actions"] == ["no-op"]:
                continue
            if address == self._parameter and change["actions"] == ["create"]:
                continue
            if address != self._role or change["actions"] != ["update"]:
                raise self._differs(address)
            before, after = change["before"], change["after"]
            others = {key for key in after if before.get(key) != after[key]} - _NOT_IN_AWS
            if differ_only_in_external_ids(before["assume_role_policy"], after["assume_role_policy"]):
                others.discard("assume_role_policy")
            if others:
                raise self._differs(", ".join(sorted(others)))

    def _differs(self, what: str) -> UsageError:
        name = self.venue.name
        return UsageError(
            f"{name}: the role differs from the inventory in more than its external ID: {what}",
            hint=f"apply the inventory first with: invoke provision --venue {name} (--check --diff shows it)",
        )


def differ_only_in_external_ids(one: str, other: str) -> bool:
    """Return whether two trust policies differ only in external IDs.

    During a rotation one statement is there twice, with an ID and a Sid each, and counts once.
    """
    first, second = (meaning(without_external_ids(parse_policy(each)), sids=False) for each in (one, other))
    return first == second


def set_grace(aws: AwsClient, venue: Venue, snapshot: VenueSnapshot, until: datetime | None) -> None:
    """Write the end of the grace period to the venue's role, or remove it: None."""
    if until is not None:
        aws.call("iam", "tag_role", RoleName=venue.role_name, Tags=[{"Key": GRACE_TAG, "Value": iso(until)}])
    elif snapshot.role is not None and GRACE_TAG in snapshot.role.tags:
        aws.call("iam", "untag_role", RoleName=venue.role_name, TagKeys=[GRACE_TAG])


def update_grace(
    aws: AwsClient, venue: Venue, snapshot: VenueSnapshot, grace: timedelta | None, now: datetime
) -> datetime:
    """Return the end of the grace period, after writing it if ``grace`` changes it.

    :param grace: how long it lasts from when the parameter was written; None keeps the end.
    """
    assert snapshot.parameter is not None
    stored = grace_until(snapshot)
    if grace is None:
        return stored or now
    until = snapshot.parameter.modified + grace
    if stored is not None and abs(stored - until) <= _CLOCK_SKEW:
        return stored
    set_grace(aws, venue, snapshot, until)
    return until


def check_grace_over(venue: Venue, snapshot: VenueSnapshot, now: datetime) -> None:
    """Check that the grace period of a venue has ended.

    :raises UsageError: it has not.
    """
    until = grace_until(snapshot)
    if until is not None and now < until:
        raise UsageError(
            f"{venue.name}: a rotation is in progress: the old external ID is accepted until {to_minute(until)}",
            hint=f"retire it before that with: invoke rotate-external-id --venue {venue.name} --finish",
        )
