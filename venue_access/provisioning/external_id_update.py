"""Change the external IDs of one venue through a saved Terraform plan that changes nothing else.

Two things keep a change from being made on old knowledge: Terraform refuses a saved plan as stale where somebody else
applied one to the same state since; and what AWS holds is read again after planning, and a plan made on other values
is thrown away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from venue_access.aws.client import AwsClient
from venue_access.aws.parameters import find_buckets
from venue_access.errors import UsageError
from venue_access.inventory.model import Venue
from venue_access.policies.compare import meaning, without_external_ids
from venue_access.policies.documents import ExternalIds, parse_policy
from venue_access.provisioning.prerequisites import with_boundary
from venue_access.provisioning.render import managed_resources
from venue_access.provisioning.reporter import Reporter
from venue_access.provisioning.root_module import RootModule
from venue_access.provisioning.rotation_state import new_external_id, standing
from venue_access.provisioning.terraform import Terraform
from venue_access.provisioning.venue_snapshot import VenueSnapshot, check_importable, existing, read_snapshot

_TERRAFORMS_OWN = {"force_detach_policies"}  # known to Terraform and not to AWS: an import does not bring it


class IdChange:
    """Changes the IDs of one venue of a stack; the other venues stand in its root as they are.

    :param carry: also bring whatever else differs from the inventory in the role in line, short of destroying.
    """

    def __init__(self, root: RootModule, venue: Venue, aws: AwsClient, reporter: Reporter, *, carry: bool) -> None:
        self._root = root
        self._venue = venue
        self._aws = aws
        self._reporter = reporter
        self._carry = carry
        self._warned = False
        # The first and the last of a venue's resources.
        self._role, *_, self._parameter = (each.address for each in managed_resources(venue))

    def apply(self, live: VenueSnapshot, ids: ExternalIds, *, parameter: bool = False, role: bool = True) -> bool:
        """Have the trust policy accept ``ids``, and make the ``parameter`` that is missing.

        :param live: what the change is based on.
        :returns: whether it was made; not where somebody else changed something since ``live`` was read.
        :raises UsageError: the role differs from the inventory in more than the external ID.
        """
        check_importable(self._venue, live)
        self._warn_of_a_local_state()
        terraform = self._render(live, ids, [self._role] * role + [self._parameter] * parameter)
        self._reporter.now(f"{self._venue.name}: planning")
        plan = terraform.plan(targets=[self._role] * role + [self._parameter] * parameter)
        try:
            if any(change.destroys for change in plan.changes):
                raise self._differs("it would be destroyed and made anew")
            if plan and not self._carry:
                self._check_alone(terraform.show(plan)["resource_changes"])
            if read_snapshot(self._aws, self._venue) != live:
                self._reporter.line(f"{self._venue.name}: somebody else changed it meanwhile; looking again")
                return False
            if plan:
                self._reporter.now(f"{self._venue.name}: changing the external ID")
                terraform.apply(plan)
        finally:
            plan.file.unlink(missing_ok=True)
        return True

    def _warn_of_a_local_state(self) -> None:
        """Warn once: Terraform's lock and its refusal of a stale plan guard only who has this very state."""
        endpoint = self._aws.endpoint
        is_local = endpoint is not None and endpoint.is_local
        if not self._warned and self._root.stack.state.bucket is None and not is_local:
            self._warned = True
            self._reporter.warn(
                f"{self._venue.name}: its Terraform state is on this machine; only a state in S3 protects a rotation"
                " from one on another machine (set state in the inventory, then: invoke state.migrate)"
            )

    def _render(self, live: VenueSnapshot, ids: ExternalIds, targets: Sequence[str]) -> Terraform:
        external_ids = {**self._siblings, self._venue.name: ids}
        self._root.boundaries[self._venue.name] = with_boundary(self._aws, self._venue).permissions_boundary
        self._root.write_for(buckets=self._buckets, external_ids=external_ids)
        known = self._root.addresses()
        imports = [each for each in existing(self._aws, self._venue, live, known) if each.address in targets]
        self._root.write_for(buckets=self._buckets, external_ids=external_ids, imports=imports, known=known)
        return self._root.terraform([*live.every_id, ids.current, *filter(None, [ids.pending])])

    @cached_property
    def _buckets(self) -> Mapping[str, Sequence[str]]:
        return {venue.name: find_buckets(self._aws, venue) for venue in self._root.stack.venues}

    @cached_property
    def _siblings(self) -> Mapping[str, ExternalIds]:
        """The other venues' IDs: rendered with the stack, but no target of the plan."""
        siblings = [venue for venue in self._root.stack.venues if venue.name != self._venue.name]
        return {
            venue.name: standing(read_snapshot(self._aws, venue)).ids or ExternalIds(new_external_id())
            for venue in siblings
        }

    def _check_alone(self, changes: Sequence[Mapping[str, Any]]) -> None:
        """A rotation carries nothing else along: no change of the inventory's, no undoing of somebody else's."""
        for resource in changes:
            change, address = resource["change"], resource["address"]
            if resource["mode"] != "managed" or change["actions"] == ["no-op"]:
                continue
            if address == self._parameter and change["actions"] == ["create"]:
                continue
            if address != self._role or change["actions"] != ["update"]:
                raise self._differs(address)
            before, after = change["before"], change["after"]
            others = {key for key in after if before.get(key) != after[key]} - _TERRAFORMS_OWN
            if same_but_external_ids(before["assume_role_policy"], after["assume_role_policy"]):
                others.discard("assume_role_policy")
            if others:
                raise self._differs(", ".join(sorted(others)))

    def _differs(self, what: str) -> UsageError:
        name = self._venue.name
        return UsageError(
            f"{name}: the role differs from the inventory in more than its external ID: {what}",
            hint=f"bring it in line first with: invoke provision --venue {name} (--check --diff shows it)",
        )


def same_but_external_ids(one: str, other: str) -> bool:
    """Whether two trust policies let the same callers in on the same conditions, but for the external IDs.

    During a rotation one statement is there twice, with an ID and a Sid each, and counts once.
    """
    first, second = (meaning(without_external_ids(parse_policy(each)), sids=False) for each in (one, other))
    return first == second
