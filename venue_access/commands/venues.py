"""The commands that make venues what the inventory says, and show and prove how they stand."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from shlex import quote

from invoke.context import Context

from venue_access import ui
from venue_access.commands.command import LOCK_TIMEOUT, command, dry, kit, reporters, reporting, seconds_of


@command(
    timeout=None,
    check="only plan",
    diff="show what changes, attribute by attribute",
    forks="how many stacks to run side by side: as many as fit the machine, unless given",
    allow_destroy="let the plan destroy or replace resources",
    lock_timeout=LOCK_TIMEOUT,
    fail_on_change="exit 7 where something changed, or would",
)
def provision(
    context: Context,
    venue: str | None = None,
    limit: str | None = None,
    check: bool = False,
    diff: bool = False,
    forks: str | None = None,
    allow_destroy: bool = False,
    fail_on_change: bool = False,
    lock_timeout: str | None = None,
    json: bool = False,
    inventory: str | None = None,
) -> int:
    """Make the roles, policies and parameters of venues what the inventory says, and prove them."""
    from venue_access.provisioning import forks as how_many
    from venue_access.provisioning.outcome import errors_told, exit_code, plan_summary, recap
    from venue_access.provisioning.provision import note_failed
    from venue_access.provisioning.provision import provision as run
    from venue_access.provisioning.stack_run import Options

    at_once = how_many.forks(forks)
    here = kit(context, inventory)
    chosen = here.chosen(venue, limit)
    options = Options(
        check=check or context.config.run.dry,
        diff=diff,
        allow_destroy=allow_destroy,
        lock_timeout=seconds_of(lock_timeout, "--lock-timeout"),
    )
    with reporters(side_by_side=at_once > 1 and len({each.stack for each in chosen}) > 1) as reporter:
        outcomes = run(here.settings, here.venues, chosen, here.accounts, here.ledger, options, reporter, forks=at_once)
    for error in errors_told([(each.venue, each.error) for each in outcomes]):
        ui.error(error)
    failed = note_failed(here.settings, outcomes)
    if failed is not None:
        ui.say(f"what failed, once more: invoke provision --limit {quote(f'@{failed}')}")
    for line in plan_summary(outcomes) if options.check else ():
        ui.say(line)
    if json:
        ui.result_json({"venues": {outcome.venue.name: outcome.document() for outcome in outcomes}})
    else:
        for line in recap(outcomes):
            ui.result(line)
    return exit_code(outcomes, fail_on_change=fail_on_change)


@command(timeout=None, forks="how many stacks to look at side by side: as many as fit the machine, unless given")
def drift(
    context: Context,
    venue: str | None = None,
    limit: str | None = None,
    forks: str | None = None,
    json: bool = False,
    inventory: str | None = None,
) -> int:
    """Show which venues are as the inventory says, and what differs; all of them unless told which."""
    from dataclasses import replace

    from venue_access.provisioning import forks as how_many
    from venue_access.provisioning.outcome import drift_document, drift_lines, errors_told, exit_code
    from venue_access.provisioning.provision import provision as run
    from venue_access.provisioning.stack_run import Options

    at_once = how_many.forks(forks)
    here = kit(context, inventory)
    chosen = list(here.venues.values()) if venue is None and limit is None else here.chosen(venue, limit)
    options = Options(check=True, diff=True)
    with reporters(side_by_side=at_once > 1) as reporter:
        quiet = lambda: replace(reporter(), line=lambda text: None)  # noqa: E731 - what differs is the result
        outcomes = run(here.settings, here.venues, chosen, here.accounts, here.ledger, options, quiet, forks=at_once)
    for error in errors_told([(each.venue, each.error) for each in outcomes]):
        ui.error(error)
    if json:
        ui.result_json(drift_document(outcomes))
    else:
        ui.result("\n".join(drift_lines(outcomes)))
    return exit_code(outcomes, fail_on_change=True)


@command(timeout=None, lock_timeout=LOCK_TIMEOUT)
def deprovision(
    context: Context,
    venue: str,
    yes: bool = False,
    lock_timeout: str | None = None,
    inventory: str | None = None,
) -> None:
    """Take a venue's role, policies and parameter away; never its bucket or repositories."""
    from venue_access.provisioning.deprovision import deprovision as run
    from venue_access.provisioning.deprovision import stack_of_departed
    from venue_access.provisioning.stack import stack_of

    patience = seconds_of(lock_timeout, "--lock-timeout")
    here = kit(context, inventory)
    stack = None if venue in here.venues else stack_of_departed(here.settings, here.venues, venue)
    if stack is not None:  # it left the inventory
        name, what = venue, f"the role of {venue}"
    else:
        chosen = here.venue(venue)
        name, what, stack = chosen.name, chosen.role_arn, stack_of(here.venues, chosen)
    if dry(context, f"destroy {what}, its policies and its parameter"):
        return
    if not yes:
        ui.confirm(f"This destroys {what}, its policies and its parameter.", name)
    with reporting() as report:
        count = run(here.settings, stack, name, here.aws(stack.venues[0]), report, lock_timeout=patience)
    ui.result(f"{name}: {count} resources destroyed" if count else f"{name}: nothing to destroy")


@command(
    timeout=None,
    grace="accept the old ID too for this long, such as 24h or 7d; until then only --finish takes it out of use",
    finish="complete the rotation that is under way, also before its grace period ends, and begin no other",
    repair="make a new ID and a stable state from whatever is there",
    unproved="go on where these keys cannot prove that an ID works",
    lock_timeout=LOCK_TIMEOUT,
)
def rotate_external_id(
    context: Context,
    venue: str | None = None,
    grace: str | None = None,
    finish: bool = False,
    repair: bool = False,
    unproved: bool = False,
    lock_timeout: str | None = None,
    json: bool = False,
    inventory: str | None = None,
) -> None:
    """Give a venue a new external ID, without a moment at which issuing fails."""
    from venue_access.provisioning.rotation import rotate
    from venue_access.provisioning.rotation_terms import RotationOptions
    from venue_access.provisioning.stack import stack_of

    given = seconds_of(grace, "--grace")
    options = RotationOptions(
        grace=None if given is None else timedelta(seconds=given),
        finish=finish,
        repair=repair,
        unproved=unproved,
        lock_timeout=seconds_of(lock_timeout, "--lock-timeout"),
    )
    here = kit(context, inventory)
    chosen = here.venue(venue)
    if dry(context, f"{options.action} the external ID of {chosen.name}"):
        return
    with reporting() as report:
        stack = stack_of(here.venues, chosen)
        rotation = rotate(here.settings, stack, chosen, here.ledger(chosen), options, report)
    if json:
        ui.result_json(rotation.document())
    else:
        ui.result(rotation.line())


@command()
def status(
    context: Context,
    venue: str | None = None,
    limit: str | None = None,
    json: bool = False,
    inventory: str | None = None,
) -> int:
    """Show how venues stand: provisioned, the age of the external ID, who holds an old one, a rotation under way."""
    from venue_access.provisioning.outcome import errors_told
    from venue_access.provisioning.status import venue_statuses

    here = kit(context, inventory)
    chosen = list(here.venues.values()) if venue is None and limit is None else here.chosen(venue, limit)
    found = venue_statuses(here.aws, chosen, datetime.now(timezone.utc), here.records(chosen))
    for error in errors_told([(each.venue, each.error) for each in found]):
        ui.error(error)
    for each in found:
        if each.advice is not None:
            ui.say(f"warning: {each.advice}")
    if json:
        ui.result_json({"venues": {each.venue.name: each.document() for each in found}})
    else:
        for each in found:
            ui.result(each.line())
    return max((each.error.exit_code for each in found if each.error is not None), default=0)


@command()
def verify(context: Context, venue: str | None = None, json: bool = False, inventory: str | None = None) -> None:
    """Prove that a venue's role is the inventory's, and that a token can do what it should and nothing else."""
    from venue_access.verification.verify import verify as run

    here = kit(context, inventory)
    chosen = here.venue(venue)
    if dry(context, f"look at {chosen.role_arn} and try a token of it"):
        return
    report = run(here.aws(chosen), chosen, here.ledger, here.venues.values())
    if report.advice is not None:
        ui.say(f"warning: {report.advice}")
    if json:
        ui.result_json(report.document())
    else:
        ui.result("\n".join(report.lines()))
    report.conclude()


@command(
    timeout=None,
    desk="only what issuing tokens needs",
    require_mfa="have it hold only for a user who has signed in with MFA",
)
def operator_policy(
    context: Context,
    venue: str | None = None,
    desk: bool = False,
    require_mfa: bool = False,
    inventory: str | None = None,
) -> None:
    """Print the IAM policy that an operator of a venue needs."""
    from venue_access.operator_policy import operator_policy as policy

    chosen = kit(context, inventory).venue(venue)
    document = policy(chosen, desk=desk)
    if require_mfa:
        from venue_access.provisioning.render import with_mfa_only

        document = with_mfa_only(document, partition=chosen.partition, account_id=chosen.account_id)
    ui.result_json(document)
