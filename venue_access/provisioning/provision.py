"""Provision venues: look at what is there, plan, apply that very plan, prove the guard, write the facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from venue_access.accounts import Accounts
from venue_access.config import Settings
from venue_access.errors import Stopped
from venue_access.inventory.model import Venue
from venue_access.provisioning.outcome import Outcome, Tallies
from venue_access.provisioning.reporter import Reporter
from venue_access.provisioning.stack import group_into_stacks
from venue_access.provisioning.stack_run import Options, StackRun


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
        tallies = Tallies(venue for venue in stack.venues if venue.name in wanted)
        if not tallies:
            continue
        with tallies.failing():
            if any(isinstance(outcome.error, Stopped) for outcome in outcomes):
                raise Stopped("interrupted before it began")
            try:
                StackRun(settings, stack, tallies, accounts.aws(stack.venues[0]), options, reporter).run()
            except KeyboardInterrupt:
                raise Stopped(
                    f"stack {stack.name}: interrupted", hint="run the command again: it goes on where this run stopped"
                ) from None
        outcomes += tallies.outcomes()
    return outcomes
