"""Take a venue away: its role, policies and parameter, never its bucket or repositories."""

from __future__ import annotations

from collections.abc import Mapping

from venue_access.aws.client import AwsClient
from venue_access.aws.identity import caller_in_account
from venue_access.config import Settings
from venue_access.errors import UsageError
from venue_access.inventory.model import Venue
from venue_access.provisioning import progress
from venue_access.provisioning.facts import forget_facts
from venue_access.provisioning.render import OrphanedVenue
from venue_access.provisioning.reporter import Reporter
from venue_access.provisioning.root_module import RootModule, last_rendering
from venue_access.provisioning.stack import Stack, group_into_stacks
from venue_access.provisioning.state_migration import module_of
from venue_access.provisioning.terraform import Event, Plan
from venue_access.provisioning.venue_snapshot import VenueSnapshot, existing, read_snapshot
from venue_access.sensitive import ExternalId


def stack_of_departed(settings: Settings, venues: Mapping[str, Venue], name: str) -> Stack | None:
    """The stack that a venue was in which left the inventory, as this machine's last run on it knows."""
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
    """Destroy what Terraform manages of a venue; how many resources that were.

    What is left when it is killed is destroyed by the next run.

    :param name: of a venue of the stack, or of one that left the inventory.
    :param lock_timeout: seconds to wait for another run on the stack; None for what is usual.
    :raises UsageError: the venue exists in AWS, and Terraform's state does not know all of it.
    """

    destroyed: list[str] = []

    def hear(event: Event) -> None:
        finished = progress.done(event)
        if finished is not None:
            destroyed.append(finished.address)
            reporter.line(finished.line())
        text = progress.doing(event)
        if text is not None:
            reporter.detail(text)

    caller_in_account(aws, stack.venues[0])
    root = RootModule(settings, stack, aws, hear, waiting=reporter.line, lock_timeout=lock_timeout)
    with root.locked():
        venue = next((venue for venue in stack.venues if venue.name == name), None)
        live = None if venue is None else read_snapshot(aws, venue)
        if not root.is_rendered() and stack.state.backend != "local":
            root.write_for(buckets={}, external_ids={})  # the state is elsewhere, whoever made the venue
        known = root.addresses() if root.is_rendered() else frozenset()
        mine = {each for each in known if progress.venue_of(each)[0] == name}
        unknown = [] if venue is None or live is None else existing(aws, venue, live, frozenset(mine))
        if unknown:
            what = ", ".join(progress.venue_of(each.address)[1] for each in unknown)
            raise UsageError(
                f"{name} exists in AWS, and Terraform's state does not know its {what}; nothing was destroyed",
                hint=f"import it first with: invoke provision --venue {name}",
            )
        if mine:
            reporter.now(f"{name}: planning")
            terraform = root.terraform(_ids(live, last_rendering(root.folder).get(name)))
            plan = terraform.plan(destroy=True, targets=[module_of(name)])
            _refuse_others(name, plan)
            terraform.apply(plan)
        forget_facts(settings, name)
        if known == mine:
            root.remove()
    return len(destroyed)


def _ids(live: VenueSnapshot | None, rendered: OrphanedVenue | None) -> list[ExternalId]:
    """Every external ID that could stand in what Terraform says."""
    found = [] if live is None else list(live.every_id)
    if rendered is not None:
        found += filter(None, [rendered.external_ids.current, rendered.external_ids.pending])
    return found


def _refuse_others(name: str, plan: Plan) -> None:
    others = [change.address for change in plan.changes if progress.venue_of(change.address)[0] != name]
    if others:
        plan.file.unlink(missing_ok=True)
        raise UsageError(
            f"{name}: the plan would destroy {', '.join(others)} too; nothing was done",
            hint="have the stack rendered anew first, with: invoke provision --limit all --check",
        )
