"""Provision one stack: snapshot, render, plan, apply that very plan, verify the trust policy.

Read ``StackProvisioner._provision`` from top to bottom.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from venue_access.aws.client import AwsClient, CallerIdentity
from venue_access.aws.parameters import find_buckets, find_buckets_of_others
from venue_access.aws.sessions import caller_in_account
from venue_access.aws.types import SECURE_STRING
from venue_access.config import Settings
from venue_access.errors import Interrupted, TerraformError, UsageError, VenueAccessError, of_the_system
from venue_access.inventory.model import Venue
from venue_access.ledger.book import OpenLedger, ProofSessions
from venue_access.policies.documents import ExternalIds
from venue_access.provisioning.process import pause
from venue_access.provisioning.render import Import
from venue_access.provisioning.results import Event, Reporter, StackResults, report_event, venue_of
from venue_access.provisioning.root_module import RootModule, write_facts
from venue_access.provisioning.stack import Stack, StateResources, resources_in
from venue_access.provisioning.state import imports_for
from venue_access.provisioning.terraform import Plan, Terraform, module_of
from venue_access.provisioning.venue_checks import PROOFS, check_boundary, verify_trust_policy, with_boundary
from venue_access.provisioning.venue_snapshot import ids_for_provisioning, read_snapshot
from venue_access.sensitive import ExternalId
from venue_access.times import RetryPolicy

_AT_ONCE = 8  # venues that are read side by side
_UNCHANGED = 15.0  # seconds to verify what this run has not changed: the run before may just have
_ATTEMPTS = 3  # plans that may be discarded because the external ID changed concurrently


@dataclass(frozen=True)
class Options:
    """How to provision."""

    check: bool = False
    """Only plan."""
    diff: bool = False
    """Show what changes, attribute by attribute."""
    lines: bool = True
    """Report progress line by line."""
    allow_destroy: bool = False
    lock_timeout: float | None = None
    """Seconds to wait for another run on the stack; None for the default."""


@dataclass
class StackProvisioner:
    """One run on the chosen venues of one stack; a venue that fails at a step is left out of the next ones.

    The other venues of the stack are not read: they may be another operator's. Targets limit the plan to the chosen.
    """

    settings: Settings
    inventory: Mapping[str, Venue]
    """Every venue by name."""
    stack: Stack
    results: StackResults
    """Those of the chosen venues, which the run fills in."""
    aws: AwsClient
    open_ledger: OpenLedger
    options: Options
    reporter: Reporter
    checks_bucket: bool
    """Whether this run checks the bucket of the state: one of the stacks that share it does."""
    _warned: bool = False

    def __post_init__(self) -> None:
        if not self.options.lines:
            self.reporter = replace(self.reporter, line=lambda text: None)
        waiting, timeout = self.reporter.line, self.options.lock_timeout
        self._root = RootModule(
            self.settings, self.stack, self.aws, self._on_event, waiting=waiting, lock_timeout=timeout
        )

    def run(self) -> None:
        """Provision the stack, and record errors in the results of the venues they are about."""
        began = False
        try:
            pause(0)
            began = True
            with self._root.locked():
                self._provision()
        except VenueAccessError as error:
            self.results.fail(error)
        except OSError as error:
            self.results.fail(of_the_system(error))
        except KeyboardInterrupt:
            when = "interrupted" if began else "interrupted before it began"
            hint = "run the command again: it resumes where this run stopped" if began else None
            self.results.fail(Interrupted(f"stack {self.stack.name}: {when}", hint=hint))
        self.reporter.done()

    def _provision(self) -> None:
        """Do every step; with ``check``, stop after the plan."""
        results, discarded = self.results, 0
        retry_policy = RetryPolicy(timeout=_UNCHANGED, sleep=pause)
        read = partial(read_snapshot, self.aws)
        caller = caller_in_account(self.aws, results.active()[0])
        if self.checks_bucket:
            from venue_access.provisioning.state_object import bucket_warnings  # only for a state in S3

            for warning in bucket_warnings(self.stack.state_location, self.aws):
                self.reporter.warn(warning)
        find_buckets_of_others(self.aws, results.active(), self.inventory.values())
        buckets = results.each(self._prerequisites, at_once=_AT_ONCE)

        while active := results.active():
            # Snapshot: what exists in AWS, and which external IDs to write.
            snapshots = results.each(read, at_once=_AT_ONCE)
            ids = results.each(partial(ids_for_provisioning, snapshots))
            if results.active() != active:
                continue  # without the venues that failed

            # Render: the root module, with an import for each object that exists and is not in the state.
            self._root.write_for(buckets=buckets, external_ids=ids)
            state = self._root.state()
            resources = resources_in(state)
            find_imports = partial(imports_for, self.settings, self.stack, self.aws, resources.addresses, snapshots)
            imports = [each for found in results.each(find_imports, at_once=_AT_ONCE).values() for each in found]
            if results.active() != active:
                continue
            types = {name: each.parameter.type for name, each in snapshots.items() if each.parameter is not None}
            orphaned = self._root.write_for(
                buckets=buckets, external_ids=ids, imports=imports, known=resources.addresses, parameter_types=types
            )
            self._report_imports(resources, imports)
            self._report_unchanged(active, ids, types, orphaned, state)

            # Plan: the chosen venues only, and nothing that destroys unless that is allowed.
            is_partial = bool(orphaned) or len(active) < len(self.stack.venues)
            targets = [module_of(venue.name) for venue in active] if is_partial else []
            hide = {each for own in ids.values() for each in (own.current, own.pending) if each is not None}
            hide |= {each for snapshot in snapshots.values() for each in snapshot.every_id}
            terraform = self._root.terraform(tuple(hide))
            try:
                plan = self._plan(terraform, resources, targets, tuple(hide))
            except VenueAccessError as error:
                results.fail(error)
                continue
            if results.active() != active:
                continue
            if self.options.check:
                return

            # Apply: unless an external ID has changed since the snapshot.
            if plan:
                again = results.each(read, at_once=_AT_ONCE)
                if results.active() != active:
                    continue
                if not all(again[name].has_same_ids(snapshots[name]) for name in again):
                    discarded += 1
                    if discarded == _ATTEMPTS:
                        message = f"stack {self.stack.name}: the external ID changed {_ATTEMPTS} times during planning"
                        raise TerraformError(message, hint="wait until the rotation is over, and run the command again")
                    self.reporter.line(f"{self.stack.name}: the external ID changed concurrently, planning again")
                    continue
                try:
                    terraform.apply(plan)
                except TerraformError as error:
                    results.fail(error)
                retry_policy = RetryPolicy(sleep=pause)
            break

        # Verify: the trust policy accepts the external ID, and nothing else.
        results.each(lambda venue: self._verify(venue, caller, ids[venue.name], buckets[venue.name], retry_policy))

    def _prerequisites(self, venue: Venue) -> tuple[str, ...]:
        """Check a venue's permissions boundary, and return its data buckets."""
        bounded = with_boundary(self.aws, venue)
        check_boundary(self.aws, bounded)
        self._root.boundaries[venue.name] = bounded.permissions_boundary
        return find_buckets(self.aws, venue)

    def _report_imports(self, resources: StateResources, imports: Sequence[Import]) -> None:
        """Report what is imported, and record what is in place before the apply."""
        for each in imports:
            venue, resource = venue_of(each.address)
            self.reporter.line(f"{venue}: importing {resource}, which exists already")
        for name, result in self.results.items():
            imported = {each.address for each in imports if venue_of(each.address)[0] == name}
            result.in_place = imported | {each for each in resources.addresses if venue_of(each)[0] == name}
            result.counts["import"] = len(imported)

    def _report_unchanged(
        self,
        active: Sequence[Venue],
        ids: Mapping[str, ExternalIds],
        parameter_types: Mapping[str, str],
        orphaned: frozenset[str],
        state: Mapping[str, Any],
    ) -> None:
        """Report once what this run does not change."""
        siblings = [venue for venue in self.stack.venues if venue.name not in self.results]
        is_usual = not siblings and not orphaned and set(parameter_types.values()) <= {SECURE_STRING}
        if self._warned or (is_usual and all(each.pending is None for each in ids.values())):
            return
        from venue_access.provisioning.changes import changed_since_applied, unchanged_warnings  # not always needed

        self._warned = True
        stacks = {name: self.inventory[name].stack if name in self.inventory else None for name in orphaned}
        for warning in unchanged_warnings(active, ids, parameter_types, stacks, self.stack.name):
            self.reporter.warn(warning)
        changed = {venue.name: changed_since_applied(venue, state) for venue in siblings}
        outdated = ", ".join(f"{name} ({', '.join(what)})" for name, what in changed.items() if what)
        if outdated:
            since = "not selected, though the inventory has changed since they were applied"
            self.reporter.line(f"{self.stack.name}: {since}: {outdated}")

    def _plan(
        self, terraform: Terraform, resources: StateResources, targets: Sequence[str], hide: Sequence[ExternalId]
    ) -> Plan:
        """Plan, report differences, and record an error for each venue of which the plan destroys something.

        With ``check``, the plan's actions are counted.

        :raises VenueAccessError: Terraform failed, or the plan destroys something of another venue.
        """
        self.reporter.now(f"{self.stack.name}: planning")
        options, active = self.options, {venue.name for venue in self.results.active()}
        if not options.check:
            # What a killed run had begun to create exists: it is updated, and not replaced.
            for address in sorted(resources.tainted):
                if venue_of(address)[0] in active:
                    terraform.untaint(address)
        plan = terraform.plan(targets=targets)
        if options.check:
            plan = plan.untainted(resources.tainted)

        for name in active:  # in place of those of a plan that was discarded
            self.results[name].differences.clear()
            self.results[name].counts = Counter({"import": self.results[name].counts["import"]})
        if options.diff and plan:
            from venue_access.provisioning.changes import differences  # only to show them

            for each in differences(terraform.show(plan), hide):
                for line in each.lines(each.address):
                    self.reporter.line(line)
                venue, resource = venue_of(each.address)
                if venue is not None and venue in active:
                    self.results[venue].differences += each.lines(resource)

        destroyed: dict[str, list[str]] = {}
        for change in plan.changes:
            venue, resource = venue_of(change.address)
            if options.check and venue is not None and venue in active:
                actions = ("delete", "create") if change.action == "replace" else (change.action,)
                self.results[venue].counts.update(each for each in actions if each != "import")
            if change.destroys and not (options.allow_destroy and venue in self.results):
                destroyed.setdefault(venue or "", []).append(resource)
        for name, addresses in destroyed.items():
            message = f"{name or self.stack.name}: the plan destroys {', '.join(addresses)}; nothing was done"
            if name not in self.results:
                raise UsageError(message, hint=f"stack {self.stack.name} changed concurrently: run the command again")
            look = "look at it with --check --diff; to allow it, add --allow-destroy"
            self.results[name].error = UsageError(message, hint=look)
        return plan

    def _verify(
        self, venue: Venue, caller: CallerIdentity, ids: ExternalIds, buckets: Sequence[str], retry_policy: RetryPolicy
    ) -> None:
        self.reporter.now(f"{venue.name}: verifying the trust policy")
        write_facts(self.settings, venue, buckets)
        with ProofSessions("provision", self.aws, venue).recorded(self.open_ledger, self.reporter.warn) as sessions:
            skipped = verify_trust_policy(sessions, ids.current, caller=caller, retry_policy=retry_policy)
        result = self.results[venue.name]
        result.proofs, result.skipped = (PROOFS, 0) if skipped is None else (0, 1)
        if skipped is not None:
            self.reporter.warn(f"{venue.name}: the trust policy was not verified: {skipped}")

    def _on_event(self, event: Event) -> None:
        applied = report_event(self.reporter, event)
        if applied is not None and applied.venue in self.results:
            result = self.results[applied.venue]
            result.counts[applied.action] += 1
            if applied.action == "delete":
                result.in_place.discard(applied.address)
            else:
                result.in_place.add(applied.address)
