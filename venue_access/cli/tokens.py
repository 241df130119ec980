"""The token issuer: issue, hand over, revoke."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context

from venue_access import console
from venue_access.cli.command import SIMILAR_USER, command, dry, open_app
from venue_access.errors import DeliveryError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from venue_access.inventory.model import Venue
    from venue_access.ledger.record import Record
    from venue_access.policies.session_file import PolicyFile


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
    encrypt="encrypt it to the recipient, and print the path of the file",
    recipient="the recipient's public key for --encrypt, or a file of it: age, SSH, X.509; several by comma",
    passphrase="encrypt by a generated passphrase, which the terminal shows once",
    out="write it to this new file, or into this folder",
    yes=SIMILAR_USER,
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
    encrypt: bool = False,
    recipient: str | None = None,
    passphrase: bool = False,
    out: str | None = None,
    yes: bool = False,
    inventory: str | None = None,
) -> int:
    """Issue a short-term token for a venue, as the JSON that AWS STS gives or as a shell takes it."""
    from venue_access.inventory.find import find_venue_of
    from venue_access.policies.session import scope
    from venue_access.tokens.delivery import DeliveryOptions
    from venue_access.tokens.durations import seconds
    from venue_access.tokens.formats import writer
    from venue_access.tokens.handover import handover
    from venue_access.tokens.issue import Refused, TokenRequest, issue, recipients, supplied_external_id, users_named
    from venue_access.tokens.ledger_recording import Recorder, hand_over

    users = users_named(user)
    lasting = seconds(duration)
    given = console.confidential(external_id, "external ID")
    supplied = None if given is None else supplied_external_id(given)
    scoped = scope(
        read_only=read_only,
        s3_prefix=s3_prefix,
        ecr_repository=ecr_repository,
        no_s3=no_s3,
        no_ecr=no_ecr,
        source_ip=source_ip,
        policy=None if policy is None else policy_given(policy),
    )
    app = open_app(context, inventory)
    chosen = find_venue_of(app.venues, venue, users)
    request = TokenRequest(chosen, users, lasting, supplied, scoped, accept_similar=yes)
    several = len(users) > 1
    way = handover(
        DeliveryOptions(encrypt, recipient, passphrase, out, format),
        chosen,
        several=several,
        text=writer(
            format,
            chosen,
            profile_name=profile_name,
            several=several,
            endpoint=lambda: app.accounts.endpoint(chosen),
        ),
        keys_folder=app.settings.inventory_folder,
    )
    if context.config.run.dry:
        request.check()
        for each in recipients(request, way.prepare):
            if isinstance(each, Refused):
                raise each.error
            console.say(f"would issue a token for {each.name} at {chosen.name}")
        return 0
    ledger = app.ledger(chosen)
    recorder = Recorder(ledger, way.account, reason)
    issued = issue(ledger.aws, request, record=recorder.record, prepare=way.prepare)
    return hand_over(issued, way, recorder, several=several)


@command(
    called="send",
    user="whom to hand it to: a name or an email",
    recipient="their public key, or a file of it: age, SSH, X.509; several by comma; without it the inventory's",
    passphrase="encrypt by a generated passphrase, which the terminal shows once",
    out="write it to this new file, or into this folder",
    yes=SIMILAR_USER,
)
def external_id_send(
    context: Context,
    user: str,
    venue: str | None = None,
    recipient: str | None = None,
    passphrase: bool = False,
    out: str | None = None,
    yes: bool = False,
    inventory: str | None = None,
) -> None:
    """Hand a requester a venue's external ID, encrypted, for their requests; it is never printed."""
    from venue_access.inventory.recipients import find_recipient
    from venue_access.tokens.delivery import DeliveryOptions
    from venue_access.tokens.encryption.encrypted import Encryption
    from venue_access.tokens.external_id import hand_out
    from venue_access.tokens.ledger_recording import record_external_id_delivery

    app = open_app(context, inventory)
    chosen = app.venue(venue, user=user)
    options = DeliveryOptions(encrypt=True, recipient=recipient, passphrase=passphrase, out=out)
    encryption = Encryption.of(options, chosen, several=False, keys_folder=app.settings.inventory_folder)
    person = find_recipient(chosen, user, accept_similar=yes)
    encryption.prepare(person)
    if dry(context, f"hand the external ID of {chosen.name} to {person.name}"):
        return
    ledger = app.ledger(chosen)
    handed = hand_out(ledger.aws(), person, encryption)
    record_external_id_delivery(ledger, handed)
    try:
        console.payload(str(handed.path))
    except DeliveryError as error:
        raise DeliveryError(f"{handed.path} was written; {error.message}", hint="hand that file over") from error


def policy_given(path: str) -> PolicyFile:
    """The policy of ``--policy``."""
    from venue_access.files import read_small, user_path
    from venue_access.policies.session_file import policy_file

    content = read_small(user_path(path), what="policy", hint="--policy takes a file with one IAM policy in JSON")
    return policy_file(content.decode("utf-8", "replace"), Path(path).name)


@command(
    session="the token with this role session name, which stands in its ARN",
    user="all tokens of this recipient so far: a name or an email",
    all="everybody's tokens so far",
    list="show what is revoked; change nothing",
    undo="take back the revocation of this name: the tokens work again",
    reason="why, for the ledger",
    yes="take --user or --session as given, though it is one slip away from a known one",
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
    yes: bool = False,
    json: bool = False,
    inventory: str | None = None,
) -> None:
    """Revoke tokens that were issued: one, all of a recipient's, or everybody's."""
    from functools import cache

    from venue_access.tokens.revocations import RevocationRequest, Revoking

    app = open_app(context, inventory)
    chosen = app.venue(venue, user=user)
    request = RevocationRequest.of(chosen, session=session, user=user, all=all, list=list, undo=undo)

    def records() -> Sequence[Record]:
        return app.records([chosen], otherwise="which tokens and revocations there are is not known")

    open_ledger = cache(lambda: app.ledger(chosen))  # a damaged one is warned of once
    revoking = Revoking(request, chosen, open_ledger, records, reason, accept_similar=yes)
    revoking.check()
    if context.config.run.dry and not list:
        console.say(f"would {request}")
        return
    try:
        come_to = revoking.run(app.aws(chosen))
    finally:
        if not list and undo is None:
            forget_cached(chosen, session=request.session, user=request.user)
    if json:
        console.result_json(come_to.document())
    else:
        for line in come_to.lines():
            console.result(line)


def forget_cached(venue: Venue, *, session: str | None, user: str | None) -> None:
    """Remove revoked tokens from the cache of ``venue-access-credentials``; a failure is a warning."""
    from venue_access.accounts.cache import SessionCache, cache_folder
    from venue_access.accounts.self_issue import remove_revoked

    cache = SessionCache(cache_folder(os.environ, Path(os.environ.get("HOME") or Path.home())))
    try:
        count = remove_revoked(cache, venue, session=session, user=user)
    except UsageError as error:
        console.warn(f"revoked tokens may be left in the cache of venue-access-credentials: {error.message}")
        return
    if count:
        console.say(f"removed {count} cached token{'' if count == 1 else 's'} of venue-access-credentials")
