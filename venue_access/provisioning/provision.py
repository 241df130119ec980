"""Provision venues: look at what is there, plan, apply that very plan, verify the trust policy, write the facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from venue_access.aws.sessions import Accounts
from venue_access.config import Settings
from venue_access.errors import Interrupted, UsageError, of_the_system
from venue_access.files import write_private
from venue_access.inventory.model import Venue
from venue_access.ledger.book import OpenLedger
from venue_access.provisioning.forks import side_by_side
from venue_access.provisioning.outcome import Outcome, RunResult
from venue_access.provisioning.process import pause
from venue_access.provisioning.reporter import Reporter
from venue_access.provisioning.stack import Stack, group_into_stacks
from venue_access.provisioning.stack_run import Options, StackProvisioner


def provision(
    settings: Settings,
    venues: Mapping[str, Venue],
    chosen: Sequence[Venue],
    accounts: Accounts,
    open_ledger: OpenLedger,
    options: Options,
    reporter: Callable[[], Reporter],
    *,
    forks: int = 1,
) -> list[Outcome]:
    """Provision the ``chosen`` of an inventory's ``venues``; a stack that fails does not stop the others.

    :param open_ledger: opens a venue's ledger, for a record of the proofs.
    :param reporter: gives each stack its own.
    :param forks: how many stacks run side by side.
    :raises InventoryError: venues of one stack disagree.
    """
    wanted = {venue.name for venue in chosen}
    stacks = [
        (stack, RunResult(venue for venue in stack.venues if venue.name in wanted))
        for stack in group_into_stacks(venues.values())
    ]
    stacks = [(stack, tallies) for stack, tallies in stacks if tallies]
    looked_at: set[str | None] = set()
    runs = []
    for stack, tallies in stacks:
        with tallies.record_errors():
            aws = accounts.aws(stack.venues[0])
            aws.credentials()  # here, where the person can be asked: a profile may want an MFA code
            told = reporter()
            bucket = stack.state_location.bucket
            new = bucket is not None and bucket not in looked_at
            looked_at.add(bucket)
            run = StackProvisioner(
                settings,
                stack,
                tallies,
                aws,
                options,
                told,
                open_ledger=open_ledger,
                inventory=venues,
                looks_at_bucket=new,
            )
            runs.append(partial(_run, stack, tallies, run, told))
    side_by_side(runs, forks)
    return [outcome for _, tallies in stacks for outcome in tallies.outcomes()]


def note_failed(settings: Settings, outcomes: Sequence[Outcome]) -> Path | None:
    """Write down the venues that failed where not one alone was meant, for ``--limit @file``; where, if it was done."""
    failed = [outcome.venue.name for outcome in outcomes if outcome.error is not None]
    if not failed or len(outcomes) == 1:
        return None
    try:
        file = settings.folder() / "failed"
        write_private(file, "".join(f"{name}\n" for name in failed))
    except UsageError:
        return None  # a full disk, perhaps the very reason; what was done is yet to be told
    return file


def _run(stack: Stack, tallies: RunResult, run: StackProvisioner, reporter: Reporter) -> None:
    begun = False
    with tallies.record_errors():
        try:
            pause(0)
            begun = True
            run.run()
        except OSError as error:
            raise of_the_system(error) from error
        except KeyboardInterrupt:
            if not begun:
                raise Interrupted(f"stack {stack.name}: interrupted before it began") from None
            raise Interrupted(
                f"stack {stack.name}: interrupted", hint="run the command again: it goes on where this run stopped"
            ) from None
    reporter.done()
