"""Rotate a venue's external ID in two phases, with never a moment at which issuing fails.

Each step is decided from what AWS holds (``stages``), so a run that was killed is simply run again. The trust policy
changes only through a saved Terraform plan, which Terraform refuses as stale where somebody else applied one since it
was made; the external ID and the trust policy are read again after planning, and a plan made on old values is thrown
away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta, timezone
from typing import Any

from venue_access.aws import Aws, Caller
from venue_access.callers import why_not_trusted
from venue_access.config import Settings
from venue_access.errors import AwsError, RequestError, TerraformError
from venue_access.inventory.model import Venue
from venue_access.masked import ExternalId
from venue_access.provisioning.guard import Patience, opens, prove_guard
from venue_access.provisioning.live import LiveVenue, existing, read_live
from venue_access.provisioning.policies import ExternalIds
from venue_access.provisioning.provision import Reporter, find_buckets
from venue_access.provisioning.render import managed_resources, render
from venue_access.provisioning.root import StackRoot
from venue_access.provisioning.stack import Stack
from venue_access.provisioning.stages import Stage, Standing, new_external_id, standing

_STEPS = 8  # more than any way through the table of stages takes, unless somebody else keeps changing it


@dataclass(frozen=True)
class RotationOptions:
    """How to rotate."""

    grace: timedelta | None = None
    """Stop after the new ID is published, and let both be accepted; ``finish`` goes on when this time is over."""
    finish: bool = False
    """Complete a rotation that is under way, without beginning another."""
    repair: bool = False
    """Make a new ID and a stable state from whatever is there."""
    unproved: bool = False
    """Go on where this caller cannot prove that an ID works."""


@dataclass(frozen=True)
class Rotation:
    """What a rotation came to; never an ID."""

    venue: Venue
    began: Stage
    ended: Stage
    steps: tuple[str, ...]

    def line(self) -> str:
        """What it came to, in a line."""
        if not self.steps:
            return f"{self.venue.name}: no rotation is under way"
        if self.ended is Stage.PUBLISHED:
            return f"{self.venue.name}: the new external ID is in use; the old one is accepted until --finish"
        return f"{self.venue.name}: the external ID was rotated"

    def document(self) -> dict[str, Any]:
        """The ``--json`` document."""
        return {
            "venue": self.venue.name,
            "began": self.began.value,
            "ended": self.ended.value,
            "steps": list(self.steps),
            "complete": self.ended is Stage.STABLE,
        }


def rotate(
    settings: Settings,
    stack: Stack,
    venue: Venue,
    aws: Aws,
    options: RotationOptions,
    reporter: Reporter,
    *,
    patience: Patience | None = None,
) -> Rotation:
    """Rotate a venue's external ID, or take up the rotation that is under way.

    :raises RequestError: the venue is not provisioned, is broken (``repair``), or the caller can prove nothing.
    """
    run = _Run(settings, stack, venue, aws, options, reporter, patience or Patience())
    with run.root.locked(lambda: reporter.line(f"{venue.name}: waiting for another run on its stack")):
        return run.rotate()


class _Run:
    def __init__(
        self,
        settings: Settings,
        stack: Stack,
        venue: Venue,
        aws: Aws,
        options: RotationOptions,
        reporter: Reporter,
        patience: Patience,
    ) -> None:
        self.root = StackRoot(settings, stack, aws, lambda event: None)
        self._stack = stack
        self._venue = venue
        self._aws = aws
        self._options = options
        self._reporter = reporter
        self._patience = patience
        self._steps: list[str] = []
        self._made: ExternalId | None = None
        # The first and the last of a venue's resources.
        self._role, *_, self._parameter = (each.address for each in managed_resources(venue))

    def rotate(self) -> Rotation:
        caller = self._aws.caller()
        began = self._look()[1].stage
        self._check(began, caller)
        old: list[ExternalId] = []
        for _ in range(_STEPS):
            live, stands = self._look()
            if stands.stage is Stage.STABLE and self._is_over(stands):
                self._prove(stands, caller, tuple(old))
                return Rotation(self._venue, began, stands.stage, tuple(self._steps))
            if stands.stage is Stage.PUBLISHED and self._options.grace is not None:
                self._wait_for_grace(live)
                return Rotation(self._venue, began, stands.stage, tuple(self._steps))
            if stands.stage is Stage.PUBLISHED and stands.ids is not None:
                old.append(stands.ids.current)
            self._step(live, stands, caller)
        raise TerraformError(
            f"{self._venue.name}: somebody else keeps changing the external ID",
            hint="find out who, then run the command again: it takes up where things stand",
        )

    def _look(self) -> tuple[LiveVenue, Standing]:
        live = read_live(self._aws, self._venue)
        return live, standing(live)

    def _check(self, stage: Stage, caller: Caller) -> None:
        name = self._venue.name
        if stage is Stage.ABSENT:
            raise RequestError(f"{name} is not provisioned", hint=f"invoke provision --venue {name}")
        if stage is Stage.BROKEN and not self._options.repair:
            reason = self._look()[1].reason
            raise RequestError(
                f"{name}: its external ID is in no state that a rotation knows: {reason}",
                hint=f"make a new one with: invoke rotate-external-id --venue {name} --repair",
            )
        reason_against = why_not_trusted(self._venue, caller)
        if reason_against is not None and not self._options.unproved:
            raise RequestError(
                f"{name}: a rotation proves each ID before it is used, and you cannot: {reason_against}",
                hint="rotate with keys that may assume the role, or trust that IAM is in time with --unproved",
            )

    def _is_over(self, stands: Standing) -> bool:
        """Whether a stable state is the end of this run: it made the ID, or was only to complete a rotation."""
        if self._options.finish or (self._options.repair and self._steps):
            return True
        return self._made is not None and stands.ids is not None and stands.ids.current == self._made

    def _step(self, live: LiveVenue, stands: Standing, caller: Caller) -> None:
        ids = stands.ids
        if stands.stage is Stage.BROKEN or ids is None:
            self._repair(live)
        elif stands.stage is Stage.PARAMETER_LOST:
            self._apply(live, ids, self._parameter)
            self._did("restored the SSM parameter from the trust policy")
        elif stands.stage is Stage.STABLE:
            self._made = new_external_id()
            self._apply(live, replace(ids, incoming=self._made), self._role)
            self._did("announced a new external ID: the role accepts both")
        elif stands.stage is Stage.ANNOUNCED and ids.incoming is not None:
            self._publish(ids.incoming, caller)
        elif ids.incoming is not None:
            self._made = ids.incoming
            self._apply(live, ExternalIds(ids.incoming), self._role)
            self._did("took the old external ID out of use")

    def _publish(self, incoming: ExternalId, caller: Caller) -> None:
        if why_not_trusted(self._venue, caller) is None:
            self._reporter.now(f"{self._venue.name}: waiting until AWS accepts the new external ID")
            if not self._patience.until(lambda: opens(self._aws, self._venue, incoming)):
                raise AwsError(
                    f"{self._venue.name}: the role does not accept the new external ID after"
                    f" {self._patience.timeout:.0f} s; the old one is in use as before",
                    hint="run the command again later: it goes on from here",
                )
        self._made = incoming
        self._aws.overwrite_parameter(self._venue.external_id_parameter, incoming)
        self._did("published it: tokens are issued with the new one")

    def _repair(self, live: LiveVenue) -> None:
        """From anything to a row of the table that leads on to STABLE."""
        self._made = new_external_id()
        if live.published is None:
            self._apply(live, ExternalIds(self._made), self._role, self._parameter)
        else:
            # The trust policy accepts first what issue-token uses, beside the new ID.
            self._apply(live, ExternalIds(live.published, self._made), self._role)
        self._did("repaired the trust policy")

    def _apply(self, live: LiveVenue, ids: ExternalIds, *targets: str) -> None:
        """Change the targets to ``ids`` through a saved plan, or leave everything where somebody was faster."""
        name = self._venue.name
        external_ids = {venue.name: ids if venue.name == name else self._ids_of(venue) for venue in self._stack.venues}
        buckets = {venue.name: find_buckets(self._aws, venue) for venue in self._stack.venues}
        self.root.write(render(self._stack, buckets=buckets, external_ids=external_ids))
        unknown = existing(self._aws, self._venue, live, self.root.addresses())
        imports = [each for each in unknown if each.address in targets]
        if imports:
            self.root.write(render(self._stack, buckets=buckets, external_ids=external_ids, imports=imports))
        terraform = self.root.terraform([ids.current, *filter(None, [ids.incoming, live.published])])
        self._reporter.now(f"{name}: planning")
        plan = terraform.plan(targets=targets)
        try:
            if plan and not self._options.repair:
                self._refuse_other_changes(terraform.show(plan))
            if not read_live(self._aws, self._venue).same_ids_as(live):
                self._reporter.line(f"{name}: somebody else changed the external ID meanwhile; looking again")
                return
            if plan:
                self._reporter.now(f"{name}: changing the external ID")
                terraform.apply(plan)
        finally:
            plan.file.unlink(missing_ok=True)

    def _ids_of(self, sibling: Venue) -> ExternalIds:
        """A sibling's IDs as they stand; it is rendered with the stack, but no target of the plan."""
        return standing(read_live(self._aws, sibling)).ids or ExternalIds(new_external_id())

    def _refuse_other_changes(self, shown: Mapping[str, Any]) -> None:
        """A rotation carries nothing else along: no change of the inventory's, no undoing of somebody else's."""
        for resource in shown.get("resource_changes", ()):
            change, address = resource["change"], resource["address"]
            if address == self._parameter and change["actions"] == ["create"]:
                continue
            if address != self._role or change["actions"] not in (["no-op"], ["update"]):
                if resource.get("mode") == "managed" and change["actions"] != ["no-op"]:
                    raise self._differs(address)
                continue
            before, after = change["before"], change["after"]
            others = sorted(key for key in after if before.get(key) != after[key] and key != "assume_role_policy")
            if others:
                raise self._differs(", ".join(others))

    def _differs(self, what: str) -> RequestError:
        name = self._venue.name
        return RequestError(
            f"{name}: the role differs from the inventory in more than its external ID: {what}",
            hint=f"bring it in line first with: invoke provision --venue {name} (--check --diff shows it)",
        )

    def _prove(self, stands: Standing, caller: Caller, old: tuple[ExternalId, ...]) -> None:
        if stands.ids is None or not self._steps:
            return
        self._reporter.now(f"{self._venue.name}: proving that only the new external ID is accepted")
        proofs = prove_guard(
            self._aws, self._venue, stands.ids.current, caller=caller, refused=old, patience=self._patience
        )
        if proofs.skipped is not None:
            self._reporter.warn(f"{self._venue.name}: the guard was not proved: {proofs.skipped}")
        else:
            self._did("proved that the old one, a wrong one and none are refused")

    def _wait_for_grace(self, live: LiveVenue) -> None:
        assert self._options.grace is not None
        assert live.parameter is not None
        until = live.parameter.modified.astimezone(timezone.utc) + self._options.grace
        self._did(
            f"both external IDs are accepted until the rotation is finished, not before {until:%Y-%m-%d %H:%M} UTC"
        )

    def _did(self, step: str) -> None:
        self._steps.append(step)
        self._reporter.line(f"{self._venue.name}: {step}")
