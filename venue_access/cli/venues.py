"""Commands that provision venues, rotate their external IDs, and show and verify their state."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from shlex import quote

from invoke.context import Context

from venue_access import console
from venue_access.cli.command import LOCK_TIMEOUT, command, dry, open_app, reporters, reporting, seconds_of


@command(
    timeout=None,
    check="only plan, and change nothing",
    diff="show what changes, attribute by attribute",
    forks="limit the number of stacks that run at once (default: as many as fit the machine)",
    allow_destroy="allow a plan that destroys or replaces resources",
    lock_timeout=LOCK_TIMEOUT,
    fail_on_change="exit with 7 if anything changed, or would change",
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
    """Create or update the roles, policies and parameters of venues, then verify them."""
    from venue_access.provisioning import process
    from venue_access.provisioning.provision import provision as run
    from venue_access.provisioning.provision import write_failed
    from venue_access.provisioning.results import error_messages, exit_code, plan_summary, recap
    from venue_access.provisioning.stack_provisioner import Options

    at_once = process.forks(forks)
    app = open_app(context, inventory)
    chosen = app.chosen(venue, limit)
    timeout = seconds_of(lock_timeout, "--lock-timeout")
    options = Options(check or context.config.run.dry, diff=diff, allow_destroy=allow_destroy, lock_timeout=timeout)
    with reporters(side_by_side=at_once > 1 and len({each.stack for each in chosen}) > 1) as reporter:
        results = run(app.settings, app.venues, chosen, app.accounts, app.ledger, options, reporter, forks=at_once)
    for error in error_messages([(each.venue, each.error) for each in results]):
        console.error(error)
    failed = write_failed(app.settings, results)
    if failed is not None:
        console.say(f"to retry what failed: invoke provision --limit {quote(f'@{failed}')}")
    for line in plan_summary(results) if options.check else ():
        console.say(line)
    if json:
        console.result_json({"venues": {result.venue.name: result.document() for result in results}})
    else:
        for line in recap(results):
            console.result(line)
    return exit_code(results, fail_on_change=fail_on_change)


@command(timeout=None, forks="limit the number of stacks compared at once (default: as many as fit the machine)")
def drift(
    context: Context,
    venue: str | None = None,
    limit: str | None = None,
    forks: str | None = None,
    json: bool = False,
    inventory: str | None = None,
) -> int:
    """Compare venues in AWS with the inventory, and list the differences."""
    from venue_access.provisioning import process
    from venue_access.provisioning.provision import provision as run
    from venue_access.provisioning.results import drift_document, drift_lines, error_messages, exit_code
    from venue_access.provisioning.stack_provisioner import Options

    at_once = process.forks(forks)
    app = open_app(context, inventory)
    chosen = list(app.venues.values()) if venue is None and limit is None else app.chosen(venue, limit)
    options = Options(check=True, diff=True, lines=False)  # the differences are the result
    with reporters(side_by_side=at_once > 1) as reporter:
        results = run(app.settings, app.venues, chosen, app.accounts, app.ledger, options, reporter, forks=at_once)
    for error in error_messages([(each.venue, each.error) for each in results]):
        console.error(error)
    if json:
        console.result_json(drift_document(results))
    else:
        console.result("\n".join(drift_lines(results)))
    return exit_code(results, fail_on_change=True)


@command(timeout=None, lock_timeout=LOCK_TIMEOUT)
def deprovision(
    context: Context,
    venue: str,
    yes: bool = False,
    lock_timeout: str | None = None,
    inventory: str | None = None,
) -> None:
    """Destroy a venue's role, policies and parameter; its bucket and repositories remain."""
    from venue_access.provisioning.provision import deprovision as run
    from venue_access.provisioning.provision import stack_of_orphan
    from venue_access.provisioning.stack import stack_of

    seconds = seconds_of(lock_timeout, "--lock-timeout")
    app = open_app(context, inventory)
    name, what = venue, f"the role of {venue}"
    stack = None if venue in app.venues else stack_of_orphan(app.settings, app.venues, venue)
    if stack is None:
        chosen = app.venue(venue)
        name, what, stack = chosen.name, chosen.role_arn, stack_of(app.venues, chosen)
    if dry(context, f"destroy {what}, its policies and its parameter"):
        return
    if not yes:
        console.confirm(f"This destroys {what}, its policies and its parameter.", name)
    with reporting() as report:
        count = run(app.settings, stack, name, app.aws(stack.venues[0]), report, lock_timeout=seconds)
    console.result(f"{name}: {count} resources destroyed" if count else f"{name}: nothing to destroy")


@command(
    timeout=None,
    grace="also accept the old ID for this long, such as 24h or 7d; only --finish ends the period early",
    finish="complete the active rotation, also before its grace period ends; begin no other",
    repair="set a new ID and a stable state, from any current state",
    skip_verification="continue if your credentials cannot verify that an ID works",
    lock_timeout=LOCK_TIMEOUT,
)
def rotate_external_id(
    context: Context,
    venue: str | None = None,
    grace: str | None = None,
    finish: bool = False,
    repair: bool = False,
    skip_verification: bool = False,
    lock_timeout: str | None = None,
    json: bool = False,
    inventory: str | None = None,
) -> None:
    """Replace a venue's external ID; tokens can be issued throughout."""
    from venue_access.provisioning.rotation import RotationOptions, rotate
    from venue_access.provisioning.stack import stack_of

    seconds, timeout = seconds_of(grace, "--grace"), seconds_of(lock_timeout, "--lock-timeout")
    period = None if seconds is None else timedelta(seconds=seconds)
    options = RotationOptions(period, finish, repair, skip_verification, timeout)
    app = open_app(context, inventory)
    chosen = app.venue(venue)
    if dry(context, f"{options.action} the external ID of {chosen.name}"):
        return
    with reporting() as report:
        stack = stack_of(app.venues, chosen)
        rotation = rotate(app.settings, stack, chosen, app.ledger(chosen), options, report)
    if json:
        console.result_json(rotation.document())
    else:
        console.result(rotation.line())


@command()
def status(
    context: Context,
    venue: str | None = None,
    limit: str | None = None,
    json: bool = False,
    inventory: str | None = None,
) -> int:
    """Show the state of venues: provisioned, age of the external ID, outdated recipients, active rotation."""
    from venue_access.provisioning.results import error_messages
    from venue_access.provisioning.status import venue_statuses

    app = open_app(context, inventory)
    chosen = list(app.venues.values()) if venue is None and limit is None else app.chosen(venue, limit)
    found = venue_statuses(app.aws, chosen, datetime.now(timezone.utc), app.records(chosen))
    for error in error_messages([(each.venue, each.error) for each in found]):
        console.error(error)
    for each in found:
        if each.advice is not None:
            console.say(f"warning: {each.advice}")
    if json:
        console.result_json({"venues": {each.venue.name: each.document() for each in found}})
    else:
        for each in found:
            console.result(each.line())
    return max((each.error.exit_code for each in found if each.error is not None), default=0)


@command()
def verify(context: Context, venue: str | None = None, json: bool = False, inventory: str | None = None) -> None:
    """Verify that a venue's role matches the inventory, and that a token has exactly its permissions."""
    from venue_access.audit.verify import verify as run

    app = open_app(context, inventory)
    chosen = app.venue(venue)
    if dry(context, f"read {chosen.role_arn} and try a token of it"):
        return
    report = run(app.aws(chosen), chosen, app.ledger, app.venues.values())
    if report.advice is not None:
        console.say(f"warning: {report.advice}")
    if json:
        console.result_json(report.document())
    else:
        console.result("\n".join(report.lines()))
    report.conclude()


@command(
    timeout=None,
    issue_only="print only the permissions for issuing tokens",
    require_mfa="make the permissions depend on MFA",
)
def operator_policy(
    context: Context,
    venue: str | None = None,
    issue_only: bool = False,
    require_mfa: bool = False,
    inventory: str | None = None,
) -> None:
    """Print the IAM policy for the operator of a venue."""
    from venue_access.policies.operator import operator_policy as policy
    from venue_access.policies.operator import with_mfa_only

    chosen = open_app(context, inventory).venue(venue)
    document = policy(chosen, issue_only=issue_only)
    if require_mfa:
        document = with_mfa_only(document, partition=chosen.partition, account_id=chosen.account_id)
    console.result_json(document)
