"""One run of ``provision`` on one stack, step by step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from venue_access.aws.client import AwsClient, CallerIdentity
from venue_access.aws.identity import caller_in_account
from venue_access.aws.parameters import find_buckets, find_buckets_of_others
from venue_access.config import Settings
from venue_access.errors import TerraformError, UsageError
from venue_access.inventory.model import Venue
from venue_access.ledger.book import OpenLedger
from venue_access.ledger.proofs import ProofSessions
from venue_access.policies.documents import ExternalIds
from venue_access.provisioning import progress
from venue_access.provisioning.diff import Difference, differences
from venue_access.provisioning.facts import write_facts
from venue_access.provisioning.outcome import RunResult
from venue_access.provisioning.pending_changes import left_alone, outdated_siblings
from venue_access.provisioning.prerequisites import check_boundary, with_boundary
from venue_access.provisioning.process import pause
from venue_access.provisioning.render import Import
from venue_access.provisioning.reporter import Reporter
from venue_access.provisioning.root_module import RootModule
from venue_access.provisioning.rotation_state import ids_for_provisioning
from venue_access.provisioning.stack import Stack
from venue_access.provisioning.state_bucket import doubts
from venue_access.provisioning.state_migration import module_of, refuse_moved
from venue_access.provisioning.terraform import Event, Plan, Terraform, kept_in
from venue_access.provisioning.trust_check import RetryPolicy, verify_trust_policy
from venue_access.provisioning.venue_snapshot import VenueSnapshot, importable, read_snapshot
from venue_access.sensitive import ExternalId

_AT_ONCE = 8  # venues that are looked at side by side
_SETTLED = 15.0  # seconds to prove what was not changed: by the run before, perhaps, and just now
_ATTEMPTS = 3  # plans that may be thrown away because somebody rotated the external ID meanwhile

Buckets = Mapping[str, Sequence[str]]
"""The data buckets of each venue, by its inventory name."""


@dataclass(frozen=True)
class Options:
    """How to provision."""

    check: bool = False
    """Only plan."""
    diff: bool = False
    """Show what changes, attribute by attribute."""
    allow_destroy: bool = False
    lock_timeout: float | None = None
    """Seconds to wait for another run on the stack; None for what is usual."""


@dataclass(frozen=True)
class _Planned:
    """A plan, and what it was made on."""

    plan: Plan
    terraform: Terraform
    live: Mapping[str, VenueSnapshot]
    ids: Mapping[str, ExternalIds]


class StackProvisioner:
    """One run on the chosen venues of one stack; a venue that fails at a step is left out of those that follow.

    Its siblings are not looked at: they may be another operator's. Targets keep the plan to the chosen.

    :param tallies: the chosen venues, and where what becomes of them is written down.
    :param open_ledger: opens a venue's ledger, for a record of the proofs; one that cannot be written is a warning.
    :param inventory: every venue of the inventory by its name.
    :param looks_at_bucket: whether to see that the bucket of the state is fit for it.
    """

    def __init__(
        self,
        settings: Settings,
        stack: Stack,
        tallies: RunResult,
        aws: AwsClient,
        options: Options,
        reporter: Reporter,
        *,
        open_ledger: OpenLedger,
        inventory: Mapping[str, Venue],
        looks_at_bucket: bool,
    ) -> None:
        self._settings = settings
        self._stack = stack
        self._tallies = tallies
        self._aws = aws
        self._options = options
        self._reporter = reporter
        self._root = RootModule(
            settings, stack, aws, self._hear, waiting=reporter.line, lock_timeout=options.lock_timeout
        )
        # Where nothing is changed there is little that IAM could still have to hear of.
        self._patience = RetryPolicy(timeout=_SETTLED, sleep=pause)
        self._told = False
        self._open_ledger = open_ledger
        self._inventory = inventory
        self._looks_at_bucket = looks_at_bucket

    def run(self) -> None:
        """Bring the venues to what the inventory says, and prove it; with ``check``, count what that would take.

        :raises VenueAccessError: what concerns all of the venues that are left.
        """
        with self._root.locked():
            caller = caller_in_account(self._aws, self._tallies.active()[0])
            if self._looks_at_bucket:
                for doubt in doubts(self._stack.state_location, self._aws):
                    self._reporter.warn(doubt)
            find_buckets_of_others(self._aws, self._tallies.active(), self._inventory.values())
            buckets = self._tallies.each(self._prerequisites, at_once=_AT_ONCE)
            if self._options.check:
                if (planned := self._plan(buckets)) is not None:
                    self._count(planned.plan)
                return
            ids = self._settle(buckets)
            self._tallies.each(lambda venue: self._prove(venue, caller, ids[venue.name], buckets[venue.name]))

    def _prerequisites(self, venue: Venue) -> tuple[str, ...]:
        bounded = with_boundary(self._aws, venue)
        check_boundary(self._aws, bounded)
        self._root.boundaries[venue.name] = bounded.permissions_boundary
        return find_buckets(self._aws, venue)

    def _read(self, venue: Venue) -> VenueSnapshot:
        return read_snapshot(self._aws, venue)

    def _settle(self, buckets: Buckets) -> Mapping[str, ExternalIds]:
        """Apply a plan that nobody has overtaken; the external IDs that the venues then have."""
        for _ in range(_ATTEMPTS):
            planned = self._plan(buckets)
            if planned is None:
                return {}
            if not planned.plan:
                return planned.ids
            again = self._tallies.each(self._read, at_once=_AT_ONCE)
            if planned.live.keys() == again.keys() and all(
                again[name].same_ids_as(live) for name, live in planned.live.items()
            ):
                self._patience = RetryPolicy(sleep=pause)
                with self._tallies.record_errors():
                    planned.terraform.apply(planned.plan)
                return planned.ids
            self._reporter.line(f"{self._stack.name}: the external ID was changed meanwhile; planning anew")
        raise TerraformError(
            f"stack {self._stack.name}: the external ID was changed {_ATTEMPTS} times while this run was planning",
            hint="wait until the rotation is over, and run the command again",
        )

    def _plan(self, buckets: Buckets) -> _Planned | None:
        """A plan for the venues that are going, made anew without one that fails on the way; None if none is left."""
        while active := self._going:
            planned = self._plan_for(active, buckets)
            if planned is not None and self._going == active:
                return planned
        return None

    def _plan_for(self, active: tuple[Venue, ...], buckets: Buckets) -> _Planned | None:
        live = self._tallies.each(self._read, at_once=_AT_ONCE)
        ids = self._tallies.each(lambda venue: ids_for_provisioning(venue, live[venue.name]))
        if self._going != active:
            return None
        self._root.write_for(buckets=buckets, external_ids=ids)
        state = self._root.state()
        kept = kept_in(state)
        known = kept.addresses
        imported = self._tallies.each(lambda venue: self._importable(venue, live[venue.name], known), at_once=_AT_ONCE)
        if self._going != active:
            return None
        imports = [each for found in imported.values() for each in found]
        types = {name: each.parameter.type for name, each in live.items() if each.parameter is not None}
        departed = self._root.write_for(
            buckets=buckets, external_ids=ids, imports=imports, known=known, parameter_types=types
        )
        self._expect(known, imports)
        now_in = {name: self._inventory[name].stack if name in self._inventory else None for name in departed}
        told = left_alone(active, ids, types, now_in, self._stack.name)
        self._say_what_is_left_alone(told, state)
        self._reporter.now(f"{self._stack.name}: planning")
        for tally in self._tallies.values():
            tally.differences.clear()  # of a plan that was thrown away
        hide = _every_id(live, ids)
        terraform = self._root.terraform(hide)
        partly = bool(departed) or len(active) < len(self._stack.venues)
        with self._tallies.record_errors():
            if not self._options.check:
                # What a run that was killed had begun to make is there: it is mended, and not made anew.
                for address in sorted(kept.tainted):
                    if progress.venue_of(address)[0] in live:
                        terraform.untaint(address)
            plan = terraform.plan(targets=[module_of(venue.name) for venue in active] if partly else ())
            if self._options.check:
                plan = plan.mending(kept.tainted)
            if self._options.diff and plan:
                self._tell_differences(differences(terraform.show(plan), hide))
            self._refuse_destroying(plan)
            return _Planned(plan, terraform, live, ids)
        return None

    def _importable(self, venue: Venue, live: VenueSnapshot, known: frozenset[str]) -> list[Import]:
        found = importable(self._aws, venue, live, known)
        if any(each.address.endswith(".aws_iam_role.this") for each in found):
            refuse_moved(self._settings, self._stack, venue, live, self._aws)
        return found

    @property
    def _going(self) -> tuple[Venue, ...]:
        return self._tallies.active()

    def _tell_differences(self, found: Sequence[Difference]) -> None:
        for each in found:
            for line in each.lines(each.address):
                self._reporter.line(line)
            venue, resource = progress.venue_of(each.address)
            if venue is not None and venue in self._tallies:
                self._tallies[venue].differences += each.lines(resource)

    def _expect(self, known: frozenset[str], imports: Sequence[Import]) -> None:
        for name, tally in self._tallies.items():
            addresses = [*known, *(each.address for each in imports)]
            tally.in_place = {address for address in addresses if progress.venue_of(address)[0] == name}
            tally.counts["import"] = sum(progress.venue_of(each.address)[0] == name for each in imports)
        for each in imports:
            venue, resource = progress.venue_of(each.address)
            self._reporter.line(f"{venue}: importing {resource}, which exists already")

    def _say_what_is_left_alone(self, told: Iterable[str], state: Mapping[str, Any]) -> None:
        if self._told:
            return
        self._told = True
        for text in told:
            self._reporter.warn(text)
        outdated = outdated_siblings([venue for venue in self._stack.venues if venue.name not in self._tallies], state)
        if outdated:
            self._reporter.line(
                f"{self._stack.name}: not touched, though the inventory has changed since they were applied:"
                f" {', '.join(outdated)}"
            )

    def _refuse_destroying(self, plan: Plan) -> None:
        """Have the venues fail that the plan destroys something of, unless that is allowed."""
        destroyed: dict[str, list[str]] = {}
        for change in plan.changes:
            venue, resource = progress.venue_of(change.address)
            if change.destroys and not (self._options.allow_destroy and venue in self._tallies):
                destroyed.setdefault(venue or "", []).append(resource)
        if destroyed and self._options.check:
            self._count(plan, only=frozenset(destroyed))
        for name, resources in destroyed.items():
            told = f"{name or self._stack.name}: the plan destroys {', '.join(resources)}; nothing was done"
            look = "look at it with --check --diff; if that is what you want, "
            if name not in self._tallies:
                raise UsageError(told, hint=f"somebody else changed stack {self._stack.name}: run the command again")
            self._tallies[name].error = UsageError(told, hint=f"{look}add --allow-destroy")

    def _count(self, plan: Plan, only: frozenset[str] | None = None) -> None:
        for change in plan.changes:
            venue, _ = progress.venue_of(change.address)
            if venue is not None and venue in self._tallies and (only is None or venue in only):
                actions = ("delete", "create") if change.action == "replace" else (change.action,)
                self._tallies[venue].counts.update(actions)

    def _prove(self, venue: Venue, caller: CallerIdentity, ids: ExternalIds, buckets: Sequence[str]) -> None:
        self._reporter.now(f"{venue.name}: verifying the trust policy")
        write_facts(self._settings, venue, buckets)
        with ProofSessions("provision", self._aws, venue).recorded(self._open_ledger, self._reporter.warn) as own:
            proofs = verify_trust_policy(own, ids.current, caller=caller, retry_policy=self._patience)
        self._tallies[venue.name].proofs = proofs.held
        if proofs.skipped is not None:
            self._tallies[venue.name].skipped = 1
            self._reporter.warn(f"{venue.name}: the trust policy was not verified: {proofs.skipped}")

    def _hear(self, event: Event) -> None:
        finished = progress.done(event)
        if finished is not None:
            tally = self._tallies.get(finished.venue)
            if tally is not None:
                tally.counts[finished.action] += 1
                (tally.in_place.discard if finished.action == "delete" else tally.in_place.add)(finished.address)
            self._reporter.line(finished.line())
        text = progress.doing(event)
        if text is not None:
            self._reporter.detail(text)


def _every_id(live: Mapping[str, VenueSnapshot], ids: Mapping[str, ExternalIds]) -> list[ExternalId]:
    """Every external ID that could stand in what Terraform says."""
    hide = [each for venue in live.values() for each in venue.every_id]
    hide += [own.current for own in ids.values()]
    return hide + [own.pending for own in ids.values() if own.pending is not None]
