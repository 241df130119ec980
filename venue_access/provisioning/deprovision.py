"""Take a venue away: its role, policies and parameter, never its bucket or repositories."""

from __future__ import annotations

from venue_access.aws import Aws
from venue_access.buckets import find_buckets
from venue_access.callers import caller_in_account
from venue_access.config import Settings
from venue_access.errors import RequestError
from venue_access.inventory.model import Venue
from venue_access.provisioning import progress
from venue_access.provisioning.facts import forget_facts
from venue_access.provisioning.live import read_live
from venue_access.provisioning.reporter import Reporter
from venue_access.provisioning.root import StackRoot
from venue_access.provisioning.stack import Stack
from venue_access.provisioning.stages import ids_for_provisioning
from venue_access.provisioning.terraform import Event, Plan


def deprovision(settings: Settings, stack: Stack, venue: Venue, aws: Aws, reporter: Reporter) -> int:
    """Destroy what Terraform manages of a venue; how many resources that were.

    What is left when it is killed is destroyed by the next run.

    :raises RequestError: the venue exists, but Terraform's state does not know it.
    """

    def hear(event: Event) -> None:
        finished = progress.done(event)
        if finished is not None:
            reporter.line(finished.line())
        text = progress.doing(event)
        if text is not None:
            reporter.detail(text)

    caller_in_account(aws, venue)
    root = StackRoot(settings, stack, aws, hear)
    with root.locked(lambda: reporter.line(f"{venue.name}: waiting for another run on its stack")):
        live = read_live(aws, venue)
        if not root.is_rendered() and stack.state.backend != "local":
            ids = {venue.name: ids_for_provisioning(venue, live)}  # the state is elsewhere, whoever made the venue
            root.write_for(buckets={venue.name: find_buckets(aws, venue)}, external_ids=ids)
        known = root.addresses() if root.is_rendered() else frozenset()
        mine = {each for each in known if progress.venue_of(each)[0] == venue.name}
        if mine:
            reporter.now(f"{venue.name}: planning")
            terraform = root.terraform([each for ids in live.accepted.values() for each in ids])
            plan = terraform.plan(destroy=True, targets=[f'module.venue["{venue.name}"]'])
            _refuse_others(venue, plan)
            terraform.apply(plan)
        elif live.role is not None or live.parameter is not None:
            raise RequestError(
                f"{venue.name} exists in AWS, but Terraform's state does not know it",
                hint=f"adopt it first with: invoke provision --venue {venue.name}",
            )
        forget_facts(settings, venue)
        if known == mine:
            root.remove()
    return len(mine)


def _refuse_others(venue: Venue, plan: Plan) -> None:
    others = [change.address for change in plan.changes if progress.venue_of(change.address)[0] != venue.name]
    if others:
        plan.file.unlink(missing_ok=True)
        raise RequestError(
            f"{venue.name}: the plan would destroy {', '.join(others)} too; nothing was done",
            hint="bring the stack in line with the inventory first, with: invoke provision --limit all --allow-destroy",
        )
