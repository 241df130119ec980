"""Provision venues: look at what is there, plan, apply that very plan, prove the guard, write the facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from venue_access.accounts import Accounts
from venue_access.aws import Aws, Caller
from venue_access.config import Settings
from venue_access.errors import RequestError, Stopped, TerraformError, Unreachable, VenueAccessError
from venue_access.inventory.model import Venue
from venue_access.masked import ExternalId
from venue_access.provisioning import progress
from venue_access.provisioning.diff import diff_lines
from venue_access.provisioning.facts import write_facts
from venue_access.provisioning.guard import prove_guard
from venue_access.provisioning.live import LiveVenue, check_adoptable, existing, read_live
from venue_access.provisioning.outcome import Outcome
from venue_access.provisioning.policies import ExternalIds
from venue_access.provisioning.render import render
from venue_access.provisioning.root import StackRoot
from venue_access.provisioning.stack import Stack, group_into_stacks
from venue_access.provisioning.stages import ids_for_provisioning, standing
from venue_access.provisioning.terraform import Event, Plan

_ATTEMPTS = 3  # plans that may be thrown away because somebody rotated the external ID meanwhile


@dataclass(frozen=True)
class Reporter:
    """Where a run tells what it does: ``now`` and its ``detail`` replace themselves, ``line`` and ``warn`` stay."""

    now: Callable[[str], None] = lambda text: None
    detail: Callable[[str], None] = lambda text: None
    line: Callable[[str], None] = lambda text: None
    warn: Callable[[str], None] = lambda text: None


@dataclass(frozen=True)
class Options:
    """How to provision."""

    check: bool = False
    """Only plan."""
    diff: bool = False
    """Show what changes, attribute by attribute."""
    allow_destroy: bool = False


def provision(
    settings: Settings,
    venues: Mapping[str, Venue],
    chosen: Sequence[Venue],
    accounts: Accounts,
    options: Options,
    reporter: Reporter,
) -> list[Outcome]:
    """Provision the ``chosen`` of an inventory's ``venues``, stack by stack; one that fails does not stop the others.

    :raises InventoryError: venues of one stack disagree.
    """
    wanted = {venue.name for venue in chosen}
    outcomes: list[Outcome] = []
    for stack in group_into_stacks(venues.values()):
        members = [venue for venue in stack.venues if venue.name in wanted]
        if not members:
            continue
        if any(isinstance(outcome.error, Stopped) for outcome in outcomes):
            outcomes += [Outcome(venue, error=Stopped("interrupted before it began")) for venue in members]
            continue
        try:
            run = _StackRun(settings, stack, members, accounts.aws(members[0]), options, reporter)
        except VenueAccessError as error:
            outcomes += [Outcome(venue, error=error) for venue in members]
            continue
        outcomes += run.outcomes()
    return outcomes


class _StackRun:
    """One run on one stack."""

    def __init__(
        self,
        settings: Settings,
        stack: Stack,
        members: Sequence[Venue],
        aws: Aws,
        options: Options,
        reporter: Reporter,
    ) -> None:
        self._settings = settings
        self._stack = stack
        self._members = members
        self._aws = aws
        self._options = options
        self._reporter = reporter
        self._root = StackRoot(settings, stack, aws, self._hear)
        self._counts: Counter[tuple[str, str]] = Counter()
        self._in_place: set[str] = set()
        self._proofs: dict[str, int] = {}
        self._skipped: dict[str, int] = {}

    def outcomes(self) -> list[Outcome]:
        errors: dict[str, VenueAccessError] = {}
        try:
            with self._root.locked(lambda: self._reporter.line(f"{self._stack.name}: waiting for another run on it")):
                errors = self._run()
        except VenueAccessError as error:
            errors = {venue.name: error for venue in self._members}
        except KeyboardInterrupt:
            stopped = Stopped(f"stack {self._stack.name}: interrupted; Terraform has saved what it had done")
            errors = {venue.name: stopped for venue in self._members}
        return [self._outcome(venue, errors.get(venue.name)) for venue in self._members]

    def _run(self) -> dict[str, VenueAccessError]:
        caller = self._check_account()
        buckets = {venue.name: find_buckets(self._aws, venue) for venue in self._stack.venues}
        for venue in self._members:
            check_boundary(self._aws, venue)
        ids = self._settle(buckets)
        if self._options.check:
            return {}
        return self._prove(caller, ids, buckets)

    def _settle(self, buckets: Mapping[str, Sequence[str]]) -> dict[str, ExternalIds]:
        """Bring the stack to what the inventory says; the external IDs that it then has."""
        for _ in range(_ATTEMPTS):
            live = {venue.name: read_live(self._aws, venue) for venue in self._stack.venues}
            ids = {venue.name: ids_for_provisioning(venue, live[venue.name]) for venue in self._stack.venues}
            plan = self._plan(live, ids, buckets)
            if self._options.check:
                self._count_planned(plan)
            if self._options.check or not plan:
                plan.file.unlink(missing_ok=True)
                return ids
            if all(read_live(self._aws, venue).same_ids_as(live[venue.name]) for venue in self._members):
                self._root.terraform(_every_id(live, ids)).apply(plan)
                return ids
            self._reporter.line(f"{self._stack.name}: the external ID was changed meanwhile; planning anew")
            plan.file.unlink(missing_ok=True)
        raise TerraformError(
            f"stack {self._stack.name}: the external ID was changed {_ATTEMPTS} times while this run was planning",
            hint="wait until the rotation is over, and run the command again",
        )

    def _plan(
        self, live: Mapping[str, LiveVenue], ids: Mapping[str, ExternalIds], buckets: Mapping[str, Sequence[str]]
    ) -> Plan:
        for venue in self._members:
            check_adoptable(venue, live[venue.name])
            stage = standing(live[venue.name]).stage
            if stage.rotating:
                self._reporter.warn(f"{venue.name}: a rotation is under way ({stage.value}); it is left where it is")
        self._root.write(render(self._stack, buckets=buckets, external_ids=ids))
        known = self._root.addresses()
        imports = [found for venue in self._members for found in existing(self._aws, venue, live[venue.name], known)]
        if imports:
            self._root.write(render(self._stack, buckets=buckets, external_ids=ids, imports=imports))
        for found in imports:
            name, resource = progress.venue_of(found.address)
            self._reporter.line(f"{name}: adopting {resource}, which exists already")
        hide = _every_id(live, ids)
        terraform = self._root.terraform(hide)
        self._reporter.now(f"{self._stack.name}: planning")
        partly = len(self._members) < len(self._stack.venues)
        plan = terraform.plan(targets=[f'module.venue["{venue.name}"]' for venue in self._members] if partly else ())
        self._in_place = {*known, *(found.address for found in imports)}
        if self._options.diff and plan:
            for line in diff_lines(terraform.show(plan), hide):
                self._reporter.line(line)
        self._refuse_destroying(plan)
        return plan

    def _refuse_destroying(self, plan: Plan) -> None:
        destroyed = [change.address for change in plan.changes if change.destroys]
        if destroyed and not self._options.allow_destroy:
            plan.file.unlink(missing_ok=True)
            raise RequestError(
                f"stack {self._stack.name}: the plan destroys {', '.join(destroyed)}; nothing was done",
                hint="look at it with --check --diff; if that is what you want, add --allow-destroy",
            )

    def _count_planned(self, plan: Plan) -> None:
        for change in plan.changes:
            venue, _ = progress.venue_of(change.address)
            for action in {"replace": ("delete", "create")}.get(change.action, (change.action,)):
                self._counts[venue or "", action] += 1

    def _prove(
        self, caller: Caller, ids: Mapping[str, ExternalIds], buckets: Mapping[str, Sequence[str]]
    ) -> dict[str, VenueAccessError]:
        errors: dict[str, VenueAccessError] = {}
        for venue in self._members:
            self._reporter.now(f"{venue.name}: proving the guard")
            write_facts(self._settings, venue, buckets[venue.name])
            try:
                proofs = prove_guard(self._aws, venue, ids[venue.name].current, caller=caller)
            except VenueAccessError as error:
                errors[venue.name] = error
                continue
            self._proofs[venue.name] = proofs.held
            if proofs.skipped is not None:
                self._skipped[venue.name] = 1
                self._reporter.warn(f"{venue.name}: the guard was not proved: {proofs.skipped}")
        return errors

    def _check_account(self) -> Caller:
        caller = self._aws.caller()
        if caller.account_id != self._stack.account_id:
            raise Unreachable(
                f"{self._members[0].name} is in account {self._stack.account_id}, but your keys are of account"
                f" {caller.account_id}",
                hint="export keys of that account, or set aws_profile or operator_role_arn in the inventory",
            )
        return caller

    def _hear(self, event: Event) -> None:
        finished = progress.done(event)
        if finished is not None:
            venue, action, resource = finished
            self._counts[venue, action] += 1
            address = event["hook"]["resource"]["addr"]
            (self._in_place.discard if action == "delete" else self._in_place.add)(address)
            self._reporter.line(progress.done_line(venue, action, resource))
        text = progress.doing(event)
        if text is not None:
            self._reporter.detail(text)

    def _outcome(self, venue: Venue, error: VenueAccessError | None) -> Outcome:
        return Outcome(
            venue,
            in_place=sum(progress.venue_of(address)[0] == venue.name for address in self._in_place),
            add=self._counts[venue.name, "create"],
            change=self._counts[venue.name, "update"],
            destroy=self._counts[venue.name, "delete"],
            proofs=self._proofs.get(venue.name, 0),
            skipped=self._skipped.get(venue.name, 0),
            error=error,
        )


def find_buckets(aws: Aws, venue: Venue) -> tuple[str, ...]:
    """The venue's data buckets: the inventory's, or the one that the platform's parameter names.

    :raises RequestError: neither is there.
    """
    if venue.s3_buckets is not None:
        return venue.s3_buckets
    found = aws.parameter(venue.datastore_parameter)
    if found is None:
        raise RequestError(
            f"{venue.name}: its data bucket is not known: there is no SSM parameter {venue.datastore_parameter}",
            hint="name the bucket with s3_buckets in the inventory",
        )
    return (found.value.reveal(),)


def check_boundary(aws: Aws, venue: Venue) -> None:
    """See that the permissions boundary exists: AWS would refuse the role only after other things were made.

    :raises RequestError: it does not.
    """
    boundary = venue.permissions_boundary_arn
    if boundary is not None and not aws.managed_policy_exists(boundary):
        raise RequestError(
            f"{venue.name}: permissions_boundary: there is no policy {boundary}",
            hint="ask the account's owner for the name of its boundary",
        )


def _every_id(live: Mapping[str, LiveVenue], ids: Mapping[str, ExternalIds]) -> list[ExternalId]:
    """Every external ID that could stand in what Terraform says."""
    hide = [each for venue in live.values() for found in venue.accepted.values() for each in found]
    hide += [venue.published for venue in live.values() if venue.published is not None]
    hide += [own.current for own in ids.values()]
    return hide + [own.incoming for own in ids.values() if own.incoming is not None]
