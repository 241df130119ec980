"""Provision venues: run their stacks side by side, each as ``stack_provisioner`` does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from venue_access.aws.sessions import Accounts
from venue_access.config import Settings
from venue_access.errors import UsageError, VenueAccessError
from venue_access.files import write_private
from venue_access.inventory.model import Venue
from venue_access.ledger.book import OpenLedger
from venue_access.provisioning.process import side_by_side
from venue_access.provisioning.progress import Reporter
from venue_access.provisioning.results import StackResults, VenueResult
from venue_access.provisioning.stack import group_into_stacks
from venue_access.provisioning.stack_provisioner import Options, StackProvisioner


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
