"""The operator's own accounts: list, switch, escalate with MFA, look, a role's token, clear."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from invoke.context import Context

from venue_access import console
from venue_access.cli.command import SIMILAR_USER, command, dry, open_app
from venue_access.errors import UsageError

if TYPE_CHECKING:
    from venue_access.accounts.account_session import AccountSession, ActiveCredentials
    from venue_access.accounts.find import AccountSources
    from venue_access.sensitive import Secret

PLACES = {
    "credentials_dir": "the folder with NAME.access_key and NAME.secret_key: ~/aws-creds unless given",
    "config": "the account file: accounts.json in that folder unless given",
}
SHELL = {
    "format": "the shell: env (bash, zsh, dash; default), fish, powershell, windows-cmd",
    "legacy": "set the old EC2 tools' variables too",
}


def places(credentials_dir: str | None, config: str | None) -> AccountSources:
    """Where accounts are looked for."""
    from venue_access.accounts.find import AccountSources

    return AccountSources.of(os.environ, credentials_dir, config)


def switch(name: str, credentials_dir: str | None, config: str | None, user: str | None = None) -> AccountSession:
    """The way to an account's keys."""
    from pathlib import Path

    from venue_access.accounts.account import fits
    from venue_access.accounts.account_session import AccountSession
    from venue_access.accounts.cache import SessionCache, cache_folder
    from venue_access.accounts.find import account_called

    where = places(credentials_dir, config)
    account = account_called(where, name)
    if user is not None:
        if not fits(user):
            raise UsageError(f"--user {user!r} is not the name of an IAM user")
        account = replace(account, user=user)
    return AccountSession(account, SessionCache(cache_folder(os.environ, Path(where.home))), os.environ)


def set_keys(in_use: ActiveCredentials, format: str, legacy: bool) -> None:
    """Print the statements that set keys, and say whose they are."""
    from venue_access.accounts.shell import statements, variables

    given = variables(in_use.shown, in_use.keys, in_use.expiration, in_use.region, legacy=legacy)
    console.payload(statements(given, format))
    console.say(f"Set keys for {in_use.shown} AWS account")


@command(called="list", timeout=None, **PLACES)
def account_list(
    context: Context, json: bool = False, credentials_dir: str | None = None, config: str | None = None
) -> None:
    """List the accounts that there are long-term keys for."""
    from venue_access.accounts.find import accounts

    found = accounts(places(credentials_dir, config))
    if json:
        console.result_json(
            {"accounts": {each.name: {"source": each.source, "account_id": each.account_id} for each in found}}
        )
    else:
        console.result(" ".join(["Possible accounts:", *(each.name for each in found)]))


@command(called="use", name="the account, as account.list shows it", **PLACES, **SHELL)
def account_use(
    context: Context,
    name: str,
    format: str = "env",
    legacy: bool = False,
    credentials_dir: str | None = None,
    config: str | None = None,
) -> None:
    """Print what sets an account's keys in a shell: of its session with MFA where one is cached."""
    from venue_access.accounts.shell import statements

    way = switch(name, credentials_dir, config)
    statements({}, format)  # a wrong format is told before anything is done
    if dry(context, f"print the keys of {way.account.name}"):
        return
    found = way.cached()
    console.say(found.sentence(way.account))
    set_keys(way.use(found.session), format, legacy)


@command(
    called="mfa",
    name="the account; the one whose keys the shell has unless given",
    code="the six digits; - reads them from standard input",
    user="the IAM user, where it is another than NAME.user or the Unix user",
    duration="how long the session lasts: 4h unless given, up to 36h",
    **PLACES,
    **SHELL,
)
def account_mfa(
    context: Context,
    name: str | None = None,
    code: str | None = None,
    user: str | None = None,
    duration: str = "4h",
    format: str = "env",
    legacy: bool = False,
    credentials_dir: str | None = None,
    config: str | None = None,
) -> None:
    """Begin a session with MFA, keep it, and print what sets its keys in a shell."""
    from venue_access.accounts.mfa import session_seconds
    from venue_access.accounts.shell import account_in_use, statements

    given = console.confidential(code, "MFA code")
    lasting = session_seconds(duration)
    way = switch(name or account_in_use(os.environ), credentials_dir, config, user)
    statements({}, format)
    if dry(context, f"begin a session with MFA of {way.account.name}, unless one is cached, and print its keys"):
        return
    found = way.cached()
    if found.session is None:
        session = way.escalate(lambda: code_for(way, given), lasting)
        console.say(way.cached().sentence(way.account))
    else:
        session = found.session
        console.say(found.sentence(way.account))
        console.say("MFA STS token already cached")
    set_keys(way.use(session), format, legacy)


def code_for(way: AccountSession, given: str | None) -> Secret:
    """The MFA code: as given, as the profile's process prints it, or as the person types it."""
    from venue_access.accounts.mfa import code_of, given_code, is_code
    from venue_access.sensitive import Secret

    if given is not None:
        return given_code(given)
    if way.account.mfa_process is not None:
        return code_of(way.account.mfa_process)
    typed = console.ask_until(
        f"Enter token for user {way.account.user or way.account.name}: ",
        lambda text: is_code(Secret(text)),
        slip="a code is six digits",
        otherwise="--code - reads the code from standard input",
    )
    return Secret(typed)


@command(called="whoami", timeout=None)
def account_whoami(context: Context) -> None:
    """Say whose keys the shell has, and its region."""
    from venue_access.accounts.shell import whoami

    console.result("\n".join(whoami(os.environ)))


@command(
    called="role-token",
    account="the account whose keys assume the role",
    role="the role's name in that account, or its ARN; a profile's own role unless given",
    token="the session token that belongs to the keys in the environment; - reads it from standard input",
    external_id="the external ID that the role asks for; - reads it from standard input",
    duration="how long it lasts: 1h (default), 90m, 3600",
    format="legacy-json (default), or another that issue-token has",
    **PLACES,
)
def account_role_token(
    context: Context,
    account: str,
    role: str | None = None,
    token: str | None = None,
    external_id: str | None = None,
    duration: str = "1h",
    format: str = "legacy-json",
    credentials_dir: str | None = None,
    config: str | None = None,
) -> None:
    """Print short-term keys of a role, for scripts: from the account's session with MFA where one is cached."""
    from venue_access.sensitive import Secret
    from venue_access.tokens.formats import FormatOptions, find_format
    from venue_access.tokens.request import supplied_external_id, token_seconds

    lasting, chosen = token_seconds(duration), find_format(format)
    if token == "-" and external_id == "-":
        raise UsageError("--token - and --external-id - cannot both read standard input")
    session_token = console.confidential(token, "session token")
    supplied = console.confidential(external_id, "external ID")
    way = switch(account, credentials_dir, config)
    external = None if supplied is None else supplied_external_id(supplied)
    if dry(context, f"assume {role or 'the role'} of {way.account.name}, and print its keys"):
        return
    secret = None if session_token is None else Secret(session_token)
    issued = way.role_token(role, secret, external_id=external, duration=lasting)
    console.payload(chosen.write(issued, FormatOptions(way.region, way.account.name)))


@command(
    called="unset",
    timeout=None,
    cache="remove cached credentials too: MFA sessions and tokens, all of them or those of --name",
    name="the account whose cached credentials are removed",
    format=SHELL["format"],
    **PLACES,
)
def account_unset(
    context: Context,
    cache: bool = False,
    name: str | None = None,
    format: str = "env",
    credentials_dir: str | None = None,
    config: str | None = None,
) -> None:
    """Print what unsets every AWS variable that the kit sets in a shell."""
    from pathlib import Path

    from venue_access.accounts.cache import SessionCache, cache_folder
    from venue_access.accounts.shell import nothing, statements

    if name is not None and not cache:
        raise UsageError("--name goes with --cache", hint="a shell has the keys of one account, and all of them go")
    statements({}, format)
    if dry(
        context, f"{'forget cached sessions, and ' if cache else ''}print what takes every AWS variable out of a shell"
    ):
        return
    if name is not None:
        way = switch(name, credentials_dir, config)
        console.say(str(way.cache.forget(way.account, way.account.read_keys())))
    elif cache:
        console.say(str(SessionCache(cache_folder(os.environ, Path(places(credentials_dir, config).home))).forget()))
    console.payload(statements(nothing(), format))


@command(
    called="profile",
    timeout=None,
    profile_name="the profile's name: the venue's unless given",
    user="who the tokens are for: the Unix user unless given",
    duration="how long each lasts: 1h (default), 90m, 3600",
    source_profile="the AWS profile of your own keys, where they are not the default ones",
    yes=SIMILAR_USER,
)
def account_profile(
    context: Context,
    venue: str | None = None,
    profile_name: str | None = None,
    user: str | None = None,
    duration: str = "1h",
    source_profile: str | None = None,
    yes: bool = False,
    inventory: str | None = None,
) -> None:
    """Write a profile into ~/.aws/config with which every AWS tool has a venue's token, and renews it by itself."""
    from pathlib import Path

    from venue_access.accounts.find import unix_user
    from venue_access.accounts.profile_writer import Profile, program, write_profile
    from venue_access.inventory.recipients import find_recipient, similar_user
    from venue_access.tokens.request import token_seconds

    token_seconds(duration)
    app = open_app(context, inventory)
    chosen = app.venue(venue)
    recipient = find_recipient(chosen, user or unix_user(os.environ), accept_similar=yes or user is None)
    arguments = ["--venue", chosen.name, "--user", recipient.name]
    arguments += ["--inventory", str(app.settings.inventory), "--workdir", str(app.settings.work_directory)]
    more = ["--duration", duration] if duration != "1h" else []
    more += ["--source-profile", source_profile] if source_profile is not None else []
    more += ["--yes"] if similar_user(chosen, recipient.name) is not None else []
    if chosen.emulator and not context.config.run.dry:
        app.accounts.start_emulator()  # its port is chosen when it starts
    name = chosen.name if profile_name is None else profile_name
    profile = Profile(name, [program(), *arguments, *more], chosen.region, app.accounts.endpoint(chosen))
    path, changed = write_profile(os.environ, Path.home(), profile, source=source_profile, check=context.config.run.dry)
    if dry(context, f"write into {path}:\n{profile.text()}"):
        return
    console.say(f"{'wrote' if changed else 'it was there already:'} profile {profile.name} in {path}")
    console.result(profile.name)
