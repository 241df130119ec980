"""Commands for tokens: issue and revoke them, and deliver external IDs."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context

from venue_access import console
from venue_access.cli.command import SIMILAR_USER, command, dry, open_app
from venue_access.errors import DeliveryError, UsageError

if TYPE_CHECKING:
    from venue_access.inventory.model import Venue
    from venue_access.policies.session_file import PolicyFile


@command(
    user="issue the token for this recipient: a name or an email address, or several: alice,bob",
    external_id="use the external ID that the requester supplied; - reads it from standard input",
    duration="set how long the token lasts: 1h (default), 90m, 3600",
    format="print the token in this format: json (default), ansible, dotenv, env, env-no-export, fish, ini,"
    " legacy-json, powershell, process, windows-cmd",
    profile_name="set the section of --format ini (default: the venue's name)",
    reason="record this reason in the ledger",
    read_only="remove write permissions from the token",
    s3_prefix="restrict S3 access to these prefixes, separated by commas: incoming/,outgoing/",
    ecr_repository="restrict ECR access to these repositories, separated by commas: unity-dev/a,unity-dev/b",
    no_s3="remove all S3 permissions from the token",
    no_ecr="remove all ECR permissions from the token",
    source_ip="restrict use to these addresses, separated by commas: 198.51.100.0/24",
    policy="use the session policy in this file instead of the flags above",
    encrypt="encrypt the token to the recipient, and print the path of the file",
    recipient="encrypt to this public key or key file (age, SSH, X.509), or several, instead of the inventory's",
    passphrase="encrypt with a generated passphrase, shown once on the terminal",
    out="write to this new file, or into this folder",
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
    """Issue a short-term token for a venue, as the JSON of AWS STS or in the format of a shell."""
    from venue_access.inventory.model import find_venue_of
    from venue_access.times import parse_token_duration
    from venue_access.tokens.delivery import DeliveryOptions, delivery_method
    from venue_access.tokens.formats import token_formatter
    from venue_access.tokens.issue import issue_tokens
    from venue_access.tokens.issuer import TokenRequest, supplied_external_id, users_named

    users = users_named(user)
    multiple = len(users) > 1
    seconds = parse_token_duration(duration)
    supplied = console.confidential(external_id, "external ID")
    token_scope = None
    if read_only or no_s3 or no_ecr or (s3_prefix, ecr_repository, source_ip, policy) != (None, None, None, None):
        from venue_access.policies.session import scope

        token_scope = scope(
            read_only=read_only,
            s3_prefix=s3_prefix,
            ecr_repository=ecr_repository,
            no_s3=no_s3,
            no_ecr=no_ecr,
            source_ip=source_ip,
            policy=None if policy is None else read_policy(policy),
        )
    given_id = None if supplied is None else supplied_external_id(supplied)
    app = open_app(context, inventory)
    found = find_venue_of(app.venues, venue, users)
    formatter = token_formatter(format, found, app.accounts, profile_name=profile_name, multiple=multiple)
    method = delivery_method(
        DeliveryOptions(encrypt, recipient, passphrase, out, format),
        found,
        multiple=multiple,
        text=formatter.text,
        keys_folder=app.settings.inventory_folder,
    )
    request = TokenRequest(found, users, seconds, given_id, token_scope, accept_similar=yes)
    return issue_tokens(request, method, app.aws, app.ledger, reason, dry=context.config.run.dry)


@command(
    user="issue the token for this recipient (default: the Unix user)",
    external_id="use the external ID that the requester supplied; - reads it from standard input",
    duration="set how long the token lasts: 1h (default), 90m, 3600",
    reason="record this reason in the ledger",
    yes=SIMILAR_USER,
)
def exec(
    context: Context,
    venue: str | None = None,
    user: str | None = None,
    external_id: str | None = None,
    duration: str = "1h",
    reason: str | None = None,
    yes: bool = False,
    inventory: str | None = None,
) -> None:
    """Issue a token and run a command with it, as in: exec --venue unity-dev -- aws s3 ls.

    The token is only in the command's environment. The command replaces this process, so that signals reach it and its
    exit code is returned.
    """
    from venue_access.accounts.sources import unix_user
    from venue_access.times import parse_token_duration
    from venue_access.tokens.delivery import Delivery
    from venue_access.tokens.issue import issued_for_one
    from venue_access.tokens.issuer import TokenRequest, supplied_external_id
    from venue_access.tokens.shell_formats import child_environment

    arguments = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    if not arguments:
        raise UsageError("no command to run", hint="write it after --, as in: exec --venue unity-dev -- aws s3 ls")
    program = shutil.which(arguments[0])
    if program is None:
        raise UsageError(f"cannot run {arguments[0]!r}: it is not an executable file, and not on the PATH")
    seconds = parse_token_duration(duration)
    supplied = console.confidential(external_id, "external ID")
    app = open_app(context, inventory)
    found = app.venue(venue, user=user)
    request = TokenRequest(
        found,
        (user or unix_user(os.environ),),
        seconds,
        None if supplied is None else supplied_external_id(supplied),
        accept_similar=yes or user is None,
    )
    if dry(context, f"issue a token for {request.users[0]} at {found.name} and run {arguments[0]}"):
        return
    with issued_for_one(app.aws(found), app.ledger(found), request, Delivery("exec"), reason) as issued:
        console.say(issued.summary())
        environment = child_environment(os.environ, issued.token, found.region, app.accounts.endpoint(found))
    console.finish()
    try:
        os.execve(program, arguments, environment)
    except OSError as error:
        raise DeliveryError(
            f"cannot run {arguments[0]!r}: {(error.strerror or str(error)).lower()}",
            hint=f"the token is not in use; revoke it with: invoke revoke-token --venue {found.name}"
            f" --session {issued.role_session_name}",
        ) from error


@command(
    user="send the external ID to this requester: a name or an email address",
    recipient="encrypt to this public key or key file (age, SSH, X.509), or several, instead of the inventory's",
    passphrase="encrypt with a generated passphrase, shown once on the terminal",
    out="write to this new file, or into this folder",
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
    """Encrypt a venue's external ID for a requester; it is never printed."""
    from venue_access.inventory.model import find_recipient
    from venue_access.tokens.delivery import DeliveryOptions
    from venue_access.tokens.encryption.delivery import Encrypted, deliver_external_id

    app = open_app(context, inventory)
    found = app.venue(venue, user=user)
    options = DeliveryOptions(encrypt=True, recipient=recipient, passphrase=passphrase, out=out)
    method = Encrypted.of(options, found, multiple=False, keys_folder=app.settings.inventory_folder)
    requester = find_recipient(found, user, accept_similar=yes)
    delivery = method.prepare(requester)
    if dry(context, f"encrypt the external ID of {found.name} to {requester.name}"):
        return
    ledger = app.ledger(found)
    path = deliver_external_id(app.aws(found), ledger, requester, method, delivery)
    try:
        console.payload(str(path))
    except DeliveryError as error:
        raise DeliveryError(f"{path} was written; {error.message}", hint="send that file") from error


def read_policy(path: str) -> PolicyFile:
    """Read the session policy of ``--policy``."""
    from venue_access.files import read_small, user_path
    from venue_access.policies.session_file import policy_file

    content = read_small(user_path(path), what="policy", hint="--policy names a file with one IAM policy in JSON")
    return policy_file(content.decode("utf-8", "replace"), Path(path).name)


@command(
    session="revoke the token with this role session name, which is in its ARN",
    user="revoke all tokens of this recipient so far: a name or an email address",
    all="revoke all tokens so far",
    list="list the revocations, and change nothing",
    undo="undo the revocation of this name: its tokens work again",
    reason="record this reason in the ledger",
    yes="accept a --user or --session whose name is similar to a known one",
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
    """Revoke issued tokens: one, all of a recipient, or all of the venue."""
    from venue_access.tokens.revoke import RevocationRequest, Revoking

    app = open_app(context, inventory)
    found = app.venue(venue, user=user)
    request = RevocationRequest.of(found, session=session, user=user, all=all, list=list, undo=undo)
    records = [] if list else app.records([found], otherwise="issued tokens and revocations are not known")
    revoking = Revoking(request, found, app.ledger, records, reason)
    revoking.check(accept_similar=yes)
    if context.config.run.dry and not list:
        console.say(f"would {request}")
        return
    try:
        outcome = revoking.run(app.aws(found))
    finally:
        if not list and undo is None:
            remove_cached(found, session=request.session, user=request.user)
    if json:
        console.result_json(outcome.document)
    else:
        for line in outcome.lines:
            console.result(line)


def remove_cached(venue: Venue, *, session: str | None, user: str | None) -> None:
    """Remove revoked tokens from the cache of ``venue-access-credentials``; a failure is a warning."""
    from venue_access.accounts.cache import CredentialCache

    try:
        count = CredentialCache.of(os.environ).remove_revoked(venue, session=session, user=user)
    except UsageError as error:
        console.warn(f"the cache of venue-access-credentials may still have revoked tokens: {error.message}")
        return
    if count:
        console.say(f"removed {count} cached token{'' if count == 1 else 's'} of venue-access-credentials")
