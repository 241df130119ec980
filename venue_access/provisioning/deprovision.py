"""Take a venue away: its role, policies and parameter, never its bucket or repositories."""

from __future__ import annotations

from venue_access.aws import Aws
from venue_access.config import Settings
from venue_access.errors import RequestError
from venue_access.inventory.model import Venue
from venue_access.provisioning import progress
from venue_access.provisioning.facts import forget_facts
from venue_access.provisioning.live import read_live
from venue_access.provisioning.provision import Reporter
from venue_access.provisioning.root import StackRoot
from venue_access.provisioning.stack import Stack
from venue_access.provisioning.terraform import Event


def deprovision(settings: Settings, stack: Stack, venue: Venue, aws: Aws, reporter: Reporter) -> int:
    """Destroy what Terraform manages of a venue; how many resources that were.

    What is left when it is killed is destroyed by the next run.

    :raises RequestError: the venue exists, but this work directory has no state of it.
    """

    def hear(event: Event) -> None:
        finished = progress.done(event)
        if finished is not None:
            reporter.line(progress.done_line(*finished))

    root = StackRoot(settings, stack, aws, hear)
    with root.locked(lambda: reporter.line(f"{venue.name}: waiting for another run on its stack")):
        if not root.is_rendered():
            _refuse_unknown(aws, venue)
            return 0
        mine = [each for each in root.addresses() if progress.venue_of(each)[0] == venue.name]
        if not mine:
            _refuse_unknown(aws, venue)
        else:
            reporter.now(f"{venue.name}: planning")
            terraform = root.terraform()
            terraform.apply(terraform.plan(destroy=True, targets=[f'module.venue["{venue.name}"]']))
        forget_facts(settings, venue)
        if stack.state.backend == "local" and not root.addresses():
            root.remove()
    return len(mine)


def _refuse_unknown(aws: Aws, venue: Venue) -> None:
    live = read_live(aws, venue)
    if live.role is not None or live.parameter is not None:
        raise RequestError(
            f"{venue.name} exists in AWS, but not in this work directory's Terraform state",
            hint=f"adopt it first with: invoke provision --venue {venue.name}",
        )
