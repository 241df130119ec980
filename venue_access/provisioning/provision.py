"""Provision venues: run their stacks side by side, each as ``stack_provisioner`` does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from venue_access.aws.client import AwsClient
from venue_access.aws.sessions import Accounts, caller_in_account
from venue_access.config import Settings
from venue_access.errors import UsageError, VenueAccessError
from venue_access.files import write_private
from venue_access.inventory.model import Venue
from venue_access.ledger.book import OpenLedger
from venue_access.provisioning.process import side_by_side
from venue_access.provisioning.render import last_rendering
from venue_access.provisioning.results import Event, Reporter, StackResults, VenueResult, report_event, venue_of
from venue_access.provisioning.root_module import RootModule, forget_facts
from venue_access.provisioning.stack import Stack, group_into_stacks
from venue_access.provisioning.stack_provisioner import Options, StackProvisioner
from venue_access.provisioning.state import missing_from_state
from venue_access.provisioning.terraform import module_of
from venue_access.provisioning.venue_snapshot import read_snapshot
from venue_access.sensitive import ExternalId


def provision(
    settings: Settings,
    venues: Mapping[str, Venue],
    chosen: Sequence[Venue],
    accounts: Accounts,
    open_ledger: OpenLedger,
    options: Options,
    new_reporter: Callable[[], Reporter],
    *,
    forks: int = 1,
) -> list[VenueResult]:
    """Provision the ``chosen`` of an inventory's ``venues``; a stack that fails does not stop the others.

    :param open_ledger: opens a venue's ledger, for the record of its verification.
    :param new_reporter: returns a reporter for a stack.
    :param forks: how many stacks to run side by side.
    """
    names = {venue.name for venue in chosen}
    all_results: list[VenueResult] = []
    checked_buckets: set[str | None] = set()
    jobs = []
    for stack in group_into_stacks(venues.values()):
        results = StackResults(venue for venue in stack.venues if venue.name in names)
        if not results:
            continue
        all_results += results.values()
        bucket = stack.state_location.bucket
        is_new = bucket is not None and bucket not in checked_buckets
        try:
            aws = accounts.aws(stack.venues[0])
            aws.credentials()  # in the main thread, which can ask for an MFA code
            run = StackProvisioner(
                settings, venues, stack, results, aws, open_ledger, options, new_reporter(), checks_bucket=is_new
            )
        except VenueAccessError as error:
            results.fail(error)
            continue
        checked_buckets.add(bucket)
        jobs.append(run.run)
    side_by_side(jobs, forks)
    return all_results


def write_failed(settings: Settings, results: Sequence[VenueResult]) -> Path | None:
    """Write the names of failed venues for ``--limit @file``, and return the file; None for a run on one venue."""
    failed = [result.venue.name for result in results if result.error is not None]
    if not failed or len(results) == 1:
        return None
    try:
        file = settings.folder() / "failed"
        write_private(file, "".join(f"{name}\n" for name in failed))
    except UsageError:
        return None  # the disk may be full; the results are still to be shown
    return file


def stack_of_orphan(settings: Settings, venues: Mapping[str, Venue], name: str) -> Stack | None:
    """Return the stack of a venue that was removed from the inventory, as this machine last rendered it."""
    folder = settings.work_directory / "stacks"
    for stack in group_into_stacks(venues.values()):
        if name in last_rendering(folder / stack.name):
            return stack
    return None


def deprovision(
    settings: Settings,
    stack: Stack,
    name: str,
    aws: AwsClient,
    reporter: Reporter,
    *,
    lock_timeout: float | None = None,
) -> int:
    """Destroy what Terraform manages of a venue, and return the number of resources. A killed run can be repeated.

    :param name: of a venue of the stack, or of one that was removed from the inventory.
    :param lock_timeout: seconds to wait for another run on the stack; None for the default.
    :raises UsageError: part of the venue exists in AWS and is not in Terraform's state.
    """
    destroyed: list[str] = []

    def on_event(event: Event) -> None:
        applied = report_event(reporter, event)
        if applied is not None:
            destroyed.append(applied.address)

    caller_in_account(aws, stack.venues[0])
    root = RootModule(settings, stack, aws, on_event, waiting=reporter.line, lock_timeout=lock_timeout)
    with root.locked():
        venue = next((venue for venue in stack.venues if venue.name == name), None)
        if not root.is_rendered() and stack.state.backend != "local":
            root.write_for(buckets={}, external_ids={})  # another machine may have provisioned the venue
        known = root.addresses() if root.is_rendered() else frozenset()
        own = {each for each in known if venue_of(each)[0] == name}
        external_ids: list[ExternalId] = []
        if venue is not None:
            snapshot = read_snapshot(aws, venue)
            external_ids += snapshot.every_id
            unknown = missing_from_state(aws, venue, snapshot, frozenset(own))
            if unknown:
                what = ", ".join(venue_of(each.address)[1] for each in unknown)
                raise UsageError(
                    f"{name}: {what} exists in AWS, and is not in Terraform's state; nothing was destroyed",
                    hint=f"import it first with: invoke provision --venue {name}",
                )
        if own:
            rendered = last_rendering(root.folder).get(name)
            if rendered is not None:
                external_ids += filter(None, [rendered.external_ids.current, rendered.external_ids.pending])
            reporter.now(f"{name}: planning")
            terraform = root.terraform(external_ids)
            plan = terraform.plan(destroy=True, targets=[module_of(name)])
            others = [change.address for change in plan.changes if venue_of(change.address)[0] != name]
            if others:
                plan.file.unlink(missing_ok=True)
                raise UsageError(
                    f"{name}: the plan would also destroy {', '.join(others)}; nothing was done",
                    hint="render the stack again first, with: invoke provision --limit all --check",
                )
            terraform.apply(plan)
        forget_facts(settings, name)
        if known == own:
            root.remove()
    return len(destroyed)
