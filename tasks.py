"""The commands: each task reads its flags, calls one function and shows the result.

What a task needs is imported by it, so that none pays for another's packages.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from venue_access import ui
from venue_access.config import Settings, settings
from venue_access.errors import RequestError, VenueAccessError

if TYPE_CHECKING:
    from venue_access.inventory.tree import Inventory
    from venue_access.kit import Kit
    from venue_access.provisioning.reporter import Reporter
    from venue_access.tokens.policy_file import PolicyFile

HELP = {
    "venue": "the venue: unity-dev, or dev where only one project has it",
    "limit": "venues by Ansible's patterns, such as 'unity:!unity-test'",
    "inventory": "an inventory file or folder (or INVOKE_INVENTORY)",
    "json": "print one JSON document",
    "yes": "do not ask",
}


def command(
    *, name: str | None = None, positional: Sequence[str] = (), **texts: str
) -> Callable[[Callable[..., None]], Any]:
    """An Invoke task whose expected failures are one message and an exit code; ``texts`` is the help of its flags."""

    def decorate(function: Callable[..., None]) -> Any:
        known = inspect.signature(function).parameters
        required = [flag for flag, each in known.items() if each.default is each.empty and flag not in positional][1:]

        @functools.wraps(function)
        def run(context: Context, *arguments: Any, **flags: Any) -> None:
            try:
                for flag in required:  # Invoke hands over None
                    if flags.get(flag) is None:
                        raise RequestError(f"--{flag.replace('_', '-')} is required")
                function(context, *arguments, **flags)
            except VenueAccessError as error:
                ui.error(str(error))
                raise Exit(code=error.exit_code) from None
            except KeyboardInterrupt:
                ui.error("interrupted")
                raise Exit(code=130) from None
            except BrokenPipeError:  # whoever reads has seen enough
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise Exit(code=0) from None

        flags = {flag: text for flag, text in {**HELP, **texts}.items() if flag in known}
        return task(name=name, help=flags, positional=positional, auto_shortflags=False)(run)

    return decorate


def configured(context: Context, inventory: str | None = None) -> Settings:
    """The settings of this run."""
    return settings(dict(context.config), root=Path(__file__).parent, inventory=inventory)


def kit(context: Context, inventory: str | None) -> Kit:
    """The inventory's venues, and the ways to their accounts."""
    from venue_access.kit import Kit

    return Kit.open(configured(context, inventory))


@contextmanager
def reporting() -> Iterator[Reporter]:
    """Progress on the terminal, a line in place, with lines that stay; gone when the work is."""
    from venue_access.provisioning.reporter import Reporter

    status = ui.Status()

    def stay(say: Callable[[str], None]) -> Callable[[str], None]:
        def say_it(text: str) -> None:
            status.clear()
            say(text)

        return say_it

    try:
        yield Reporter(now=status.show, detail=status.detail, line=stay(ui.say), warn=stay(ui.warn))
    finally:
        status.clear()


# -- provisioning ----------------------------------------------------------------------------------------------------


@command(
    check="only plan",
    diff="show what changes, attribute by attribute",
    allow_destroy="let the plan destroy or replace resources",
    fail_on_change="exit 7 where something changed, or would",
)
def provision(
    context: Context,
    venue: str | None = None,
    limit: str | None = None,
    check: bool = False,
    diff: bool = False,
    allow_destroy: bool = False,
    fail_on_change: bool = False,
    json: bool = False,
    inventory: str | None = None,
) -> None:
    """Make the roles, policies and parameters of venues what the inventory says, and prove them."""
    from venue_access.provisioning.outcome import exit_code, recap
    from venue_access.provisioning.provision import provision as run
    from venue_access.provisioning.stack_run import Options

    here = kit(context, inventory)
    chosen = here.chosen(venue, limit)
    options = Options(check=check or context.config.run.dry, diff=diff, allow_destroy=allow_destroy)
    with reporting() as report:
        outcomes = run(here.settings, here.venues, chosen, here.accounts, options, report)
    for error in dict.fromkeys(str(outcome.error) for outcome in outcomes if outcome.error is not None):
        ui.error(error)
    if json:
        ui.result_json({"venues": {outcome.venue.name: outcome.document() for outcome in outcomes}})
    else:
        for line in recap(outcomes):
            ui.result(line)
    raise Exit(code=exit_code(outcomes, fail_on_change=fail_on_change))


@command()
def deprovision(context: Context, venue: str, yes: bool = False, inventory: str | None = None) -> None:
    """Take a venue's role, policies and parameter away; never its bucket or repositories."""
    from venue_access.provisioning.deprovision import deprovision as run
    from venue_access.provisioning.stack import stack_of

    here = kit(context, inventory)
    chosen = here.venue(venue)
    if context.config.run.dry:
        ui.say(f"would destroy {chosen.role_arn}, its policies and {chosen.external_id_parameter}")
        return
    if not yes:
        ui.confirm(f"This destroys {chosen.role_arn}, its policies and its parameter.", chosen.name)
    with reporting() as report:
        count = run(here.settings, stack_of(here.venues, chosen), chosen, here.aws(chosen), report)
    ui.result(f"{chosen.name}: {count} resources destroyed" if count else f"{chosen.name}: nothing to destroy")


@command(
    grace="leave the old ID accepted too, for 24h say; --finish then takes it out of use",
    finish="complete the rotation that is under way, and begin no other",
    repair="make a new ID and a stable state from whatever is there",
    unproved="go on where these keys cannot prove that an ID works",
)
def rotate_external_id(
    context: Context,
    venue: str | None = None,
    grace: str | None = None,
    finish: bool = False,
    repair: bool = False,
    unproved: bool = False,
    json: bool = False,
    inventory: str | None = None,
) -> None:
    """Give a venue a new external ID, without a moment at which issuing fails."""
    from venue_access.provisioning.rotation import rotate
    from venue_access.provisioning.rotation_terms import RotationOptions
    from venue_access.provisioning.stack import stack_of
    from venue_access.tokens.durations import length

    here = kit(context, inventory)
    chosen = here.venue(venue)
    waiting = None if grace is None else timedelta(seconds=length(grace, "--grace"))
    options = RotationOptions(grace=waiting, finish=finish, repair=repair, unproved=unproved)
    if context.config.run.dry:
        ui.say(f"would rotate the external ID of {chosen.name}")
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
) -> None:
    """Show how venues stand: provisioned, the age of the external ID, who holds an old one, a rotation under way."""
    from venue_access.provisioning.status import venue_statuses

    here = kit(context, inventory)
    chosen = list(here.venues.values()) if venue is None and limit is None else here.chosen(venue, limit)
    found = venue_statuses(here.aws, chosen, datetime.now(timezone.utc), here.records(chosen))
    for error in dict.fromkeys(str(each.error) for each in found if each.error is not None):
        ui.error(error)
    if json:
        ui.result_json({"venues": {each.venue.name: each.document() for each in found}})
    else:
        for each in found:
            ui.result(each.line())
    raise Exit(code=max((each.error.exit_code for each in found if each.error is not None), default=0))


@command()
def verify(context: Context, venue: str | None = None, json: bool = False, inventory: str | None = None) -> None:
    """Prove that a venue's role is the inventory's, and that a token can do what it should and nothing else."""
    from venue_access.verification.verify import verify as run

    here = kit(context, inventory)
    chosen = here.venue(venue)
    if context.config.run.dry:
        ui.say(f"would look at {chosen.role_arn} and try a token of it")
        return
    report = run(here.aws(chosen), chosen, here.venues.values())
    if json:
        ui.result_json(report.document())
    else:
        ui.result("\n".join(report.lines()))
    report.conclude()


@command(desk="only what issuing tokens needs")
def operator_policy(
    context: Context, venue: str | None = None, desk: bool = False, inventory: str | None = None
) -> None:
    """Print the IAM policy that an operator of a venue needs."""
    from venue_access.operator_policy import operator_policy as policy

    ui.result_json(policy(kit(context, inventory).venue(venue), desk=desk))


# -- tokens ----------------------------------------------------------------------------------------------------------


@command(
    user="who it is for: a name or an email, or several: alice,bob",
    external_id="the external ID as the requester supplied it; - reads it from standard input",
    duration="how long it lasts: 1h (default), 90m, 3600",
    format="json (default), ansible, dotenv, env, env-no-export, fish, ini, legacy-json, powershell, process,"
    " windows-cmd",
    profile_name="the section of --format ini: the venue's name unless given",
    reason="why, for the ledger",
    read_only="let the token read only",
    s3_prefix="let it into these folders of the bucket only: incoming/2026, or several: incoming/,outgoing/",
    ecr_repository="let it into these repositories only, by their whole names, or several: unity-dev/a,unity-dev/b",
    no_s3="let it do nothing with S3",
    no_ecr="let it do nothing with ECR",
    source_ip="let it be used from these addresses only: 198.51.100.0/24, or several",
    policy="a file with a session policy, instead of the flags above",
    seal="encrypt it to the recipient, and print the path of the file",
    to="the recipient's public key for --seal, or a file of it: age, SSH, X.509; several by comma",
    passphrase="seal by a generated passphrase, which the terminal shows once",
    out="write it to this new file, or into this folder",
)
def issue_token(
    context: Context,
    user: str,
    venue: str | None = None,
    external_id: str | None = None,
    duration: str = "1h",
    format: str = "json",
    profile_name: str | None = None,
    reason: str | None = None,
    read_only: bool = False,
    s3_prefix: str | None = None,
    ecr_repository: str | None = None,
    no_s3: bool = False,
    no_ecr: bool = False,
    source_ip: str | None = None,
    policy: str | None = None,
    seal: bool = False,
    to: str | None = None,
    passphrase: bool = False,
    out: str | None = None,
    inventory: str | None = None,
) -> None:
    """Issue a short-term token for a venue, as the JSON that AWS STS gives or as a shell takes it."""
    from venue_access.inventory.find import find_venue_of
    from venue_access.masked import scrub
    from venue_access.tokens.delivery import Wishes, hand_over, handover
    from venue_access.tokens.durations import seconds
    from venue_access.tokens.entries import enter_delivery, enter_issue, entering_refusals
    from venue_access.tokens.formats import writer
    from venue_access.tokens.issue import Refused, TokenRequest, issue, recipients, supplied_external_id
    from venue_access.tokens.narrowing_flags import narrowing

    users = tuple(name.strip(" ") for name in user.split(","))
    lasting = seconds(duration)
    given = ui.confidential(external_id, "external ID")
    supplied = None if given is None else supplied_external_id(given)
    narrowed = narrowing(
        read_only=read_only,
        s3_prefix=s3_prefix,
        ecr_repository=ecr_repository,
        no_s3=no_s3,
        no_ecr=no_ecr,
        source_ip=source_ip,
        policy=None if policy is None else policy_given(policy),
    )
    here = kit(context, inventory)
    chosen = find_venue_of(here.venues, venue, users)
    request = TokenRequest(chosen, users, lasting, supplied, narrowed)
    several = len(users) > 1
    way = handover(
        Wishes(seal, to, passphrase, out, format),
        chosen,
        several=several,
        text=writer(format, chosen, profile_name=profile_name, several=several),
        keys_folder=here.settings.inventory_folder,
    )
    if context.config.run.dry:
        request.check()
        for each in recipients(request, way.prepare):
            if isinstance(each, Refused):
                raise each.error
            ui.say(f"would issue a token for {each.name} at {chosen.name}")
        return
    reason = None if reason is None else scrub(reason, supplied)
    ledger = here.ledger(chosen)
    issued = entering_refusals(ledger, request, issue(ledger.aws, request, prepare=way.prepare), reason)
    code = hand_over(
        issued,
        way,
        lambda each, delivery: enter_issue(ledger, each, delivery, reason),
        several=several,
        delivered=lambda each, delivery: enter_delivery(ledger, each, delivery),
    )
    raise Exit(code=code)


@command(
    name="send",
    user="whom to hand it to: a name or an email",
    to="their public key, or a file of it: age, SSH, X.509; several by comma; without it the inventory's",
    passphrase="seal by a generated passphrase, which the terminal shows once",
    out="write it to this new file, or into this folder",
)
def external_id_send(
    context: Context,
    user: str,
    venue: str | None = None,
    to: str | None = None,
    passphrase: bool = False,
    out: str | None = None,
    inventory: str | None = None,
) -> None:
    """Hand a requester a venue's external ID, sealed, for their requests; it is never printed."""
    from venue_access.inventory.recipients import find_recipient
    from venue_access.tokens.delivery import Wishes
    from venue_access.tokens.entries import enter_hand_out
    from venue_access.tokens.external_id import hand_out
    from venue_access.tokens.seal.sealed import Sealing

    here = kit(context, inventory)
    chosen = here.venue(venue, user=user)
    wishes = Wishes(seal=True, to=to, passphrase=passphrase, out=out)
    sealing = Sealing.of(wishes, chosen, several=False, keys_folder=here.settings.inventory_folder)
    recipient = find_recipient(chosen, user)
    sealing.prepare(recipient)
    if context.config.run.dry:
        ui.say(f"would hand the external ID of {chosen.name} to {recipient.name}")
        return
    ledger = here.ledger(chosen)
    handed = hand_out(ledger.aws(), recipient, sealing)
    enter_hand_out(ledger, handed)
    ui.result(str(handed.path))


def policy_given(path: str) -> PolicyFile:
    """The policy of ``--policy``."""
    from venue_access.files import read_small
    from venue_access.tokens.policy_file import policy_file

    content = read_small(Path(path), what="policy", hint="--policy takes a file with one IAM policy in JSON")
    return policy_file(content.decode("utf-8", "replace"), Path(path).name)


@command(
    session="the token with this role session name, which stands in its ARN",
    user="all tokens of this recipient so far: a name or an email",
    all="everybody's tokens so far",
    list="show what is revoked; change nothing",
    undo="take back the revocation of this name: the tokens work again",
    reason="why, for the ledger",
)
def revoke_token(
    context: Context,
    venue: str | None = None,
    session: str | None = None,
    user: str | None = None,
    all: bool = False,
    list: bool = False,
    undo: str | None = None,
    reason: str | None = None,
    json: bool = False,
    inventory: str | None = None,
) -> None:
    """Revoke tokens that were issued: one, all of a recipient's, or everybody's."""
    from venue_access.tokens.revocations import Wish, revoke

    here = kit(context, inventory)
    chosen = here.venue(venue, user=user)
    wish = Wish.of(chosen, session=session, user=user, all=all, list=list, undo=undo)
    if context.config.run.dry and not list:
        ui.say(f"would {wish}")
        return
    come_to = revoke(wish, here.aws(chosen), chosen, lambda: here.ledger(chosen), reason)
    if json:
        ui.result_json(come_to.document())
    else:
        for line in come_to.lines():
            ui.result(line)


@command(
    live="only those that are neither expired nor revoked",
    user="only of this recipient: a name or an email",
    venue="only of this venue",
    since="only those issued since: 7d, 12h, 30m, or a day as 2026-11-20 (UTC)",
)
def tokens(
    context: Context,
    live: bool = False,
    user: str | None = None,
    venue: str | None = None,
    since: str | None = None,
    json: bool = False,
    inventory: str | None = None,
) -> None:
    """List the tokens that were issued, as the ledger has them."""
    from venue_access.inventory.recipients import names_called
    from venue_access.ledger.listing import listed, table
    from venue_access.ledger.listing import since as time_of
    from venue_access.ledger.verify import records_of

    here, now = kit(context, inventory), datetime.now(timezone.utc)
    records, unread = records_of(here.ledgers(venue))
    for each in unread:
        ui.warn(f"{each} holds no record; see what invoke ledger.verify finds")
    found = listed(
        records,
        now,
        live=live,
        recipients=None if user is None else names_called(here.venues.values(), user),
        venue=None if venue is None else here.venue(venue).name,
        since=None if since is None else time_of(since, now),
    )
    if json:
        ui.result_json({"tokens": [each.document() for each in found]})
    elif found:
        ui.result("\n".join(table(found)))
    else:
        ui.say("no token was issued that fits")


@command(name="verify", head="a hash that ledger.head printed once: finds an end that was cut off")
def ledger_verify(
    context: Context, head: str | None = None, venue: str | None = None, inventory: str | None = None
) -> None:
    """Find a record of the ledger that was changed, removed or moved."""
    from venue_access.ledger.verify import verify

    for line in verify(kit(context, inventory).ledgers(venue), head):
        ui.result(line)


@command(name="head")
def ledger_head(context: Context, venue: str | None = None, inventory: str | None = None) -> None:
    """Print the hash of the ledger's last record, to be written down elsewhere."""
    from venue_access.ledger.verify import head

    ui.result(head(kit(context, inventory).ledgers(venue)))


# -- the inventory ---------------------------------------------------------------------------------------------------


def loaded(context: Context, inventory: str | None) -> Inventory:
    """The inventory as Ansible reads it, whatever its variables would be worth as a venue's."""
    from venue_access.inventory.loader import load_inventory

    return load_inventory(configured(context, inventory).inventory)


@command(name="list")
def inventory_list(context: Context, inventory: str | None = None) -> None:
    """Print the inventory as ansible-inventory --list does."""
    ui.result_json(loaded(context, inventory).to_list())


@command(name="host", positional=["host"], host="the venue's name in the inventory")
def inventory_host(context: Context, host: str, inventory: str | None = None) -> None:
    """Print a venue's variables as ansible-inventory --host does."""
    found = loaded(context, inventory)
    if host not in found.hosts:
        raise RequestError(f"the inventory has no host {host!r}", hint=f"it has: {', '.join(found.hosts[:20])}")
    ui.result_json(found.to_list()["_meta"]["hostvars"].get(host, {}))


@command(name="graph")
def inventory_graph(context: Context, inventory: str | None = None) -> None:
    """Draw the groups and venues as ansible-inventory --graph does."""
    ui.result(loaded(context, inventory).graph())


# -- the embedded AWS ------------------------------------------------------------------------------------------------


@command(name="up")
def local_up(context: Context, inventory: str | None = None) -> None:
    """Start the embedded AWS, with what the inventory says exists already."""
    here = kit(context, inventory)
    if not here.accounts.start_embedded():
        ui.say("the embedded AWS is up already")


@command(name="down")
def local_down(context: Context) -> None:
    """Stop the embedded AWS; its state is kept."""
    from venue_access.local_aws import local_aws

    stopped = local_aws(configured(context).work_directory).down()
    ui.say("stopped the embedded AWS" if stopped else "the embedded AWS is not up")


@command(name="status")
def local_status(context: Context) -> None:
    """Show where the embedded AWS answers, and how to point the AWS CLI at it."""
    from venue_access.local_aws import local_aws

    ui.result("\n".join(local_aws(configured(context).work_directory).describe()))


namespace = Collection(
    *(provision, deprovision, rotate_external_id, status, verify, operator_policy),
    *(issue_token, revoke_token, tokens),
)
namespace.add_collection(Collection("external-id", external_id_send))
namespace.add_collection(Collection("ledger", ledger_verify, ledger_head))
namespace.add_collection(Collection("inventory", inventory_list, inventory_host, inventory_graph))
namespace.add_collection(Collection("local", local_up, local_down, local_status))
