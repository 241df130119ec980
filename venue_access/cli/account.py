"""Commands for the operator's own accounts: credentials in a shell, MFA sessions, a role's token, a profile."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from invoke.context import Context

from venue_access import console
from venue_access.cli.command import SIMILAR_USER, command, dry, open_app
from venue_access.errors import UsageError

if TYPE_CHECKING:
    from venue_access.accounts.cache import Session
    from venue_access.accounts.session import AccountSession

SOURCES = {
    "credentials_dir": "read NAME.access_key and NAME.secret_key from this folder (default: ~/aws-creds)",
    "config": "use this account file (default: accounts.json in that folder)",
}
SHELL = {
    "format": "print statements for this shell: env (bash, zsh, dash; default), fish, powershell, windows-cmd",
    "legacy": "also set the variables of the old EC2 tools",
}


def print_credentials(account: AccountSession, session: Session | None, format: str, legacy: bool) -> None:
    """Print the statements that set an account's credentials in a shell: a session's, or the long-term ones."""
    from venue_access.accounts.session import statements

    active = account.activate(session)
    console.payload(statements(active.variables(legacy=legacy), format))
    console.say(f"Set keys for {active.account_name} AWS account")


@command(timeout=None, **SOURCES)
def account_list(
    context: Context, json: bool = False, credentials_dir: str | None = None, config: str | None = None
) -> None:
    """List the accounts with long-term credentials."""
    from venue_access.accounts.sources import AccountSources

    accounts = AccountSources(os.environ, credentials_dir, config).accounts()
    if json:
        listed = {each.name: {"source": each.source, "account_id": each.account_id} for each in accounts}
        console.result_json({"accounts": listed})
    else:
        console.result(" ".join(["Possible accounts:", *(each.name for each in accounts)]))


@command(name="use this account of account.list", **SOURCES, **SHELL)
def account_use(
    context: Context,
    name: str,
    format: str = "env",
    legacy: bool = False,
    credentials_dir: str | None = None,
    config: str | None = None,
) -> None:
    """Print statements that set an account's credentials in a shell; a cached MFA session is used if there is one."""
    from venue_access.accounts.session import UNSET, open_account, statements

    account = open_account(os.environ, name, credentials_dir, config)
    statements(UNSET, format)  # raises on a wrong format before anything is done
    if dry(context, f"print the credentials of {account.account.name}"):
        return
    session, message = account.cached()
    console.say(message)
    print_credentials(account, session, format, legacy)


@command(
    name="use this account (default: the one whose credentials the shell has)",
    code="pass the six digits of the MFA code; - reads them from standard input",
    user="set the IAM user (default: NAME.user, or the Unix user)",
    duration="set how long the session lasts: 4h (default), up to 36h",
    **SOURCES,
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
    """Begin an MFA session, cache it, and print statements that set its credentials in a shell."""
    from venue_access.accounts import session as accounts
    from venue_access.sensitive import Secret

    given = console.confidential(code, "MFA code")
    seconds = accounts.session_seconds(duration)
    name = name or accounts.active_account(os.environ)
    account = accounts.open_account(os.environ, name, credentials_dir, config, user=user)
    name, process = account.account.name, account.account.mfa_process
    accounts.statements(accounts.UNSET, format)
    if dry(context, f"begin an MFA session of {name}, unless one is cached, and print its credentials"):
        return
    session, message = account.cached()
    if session is None:
        serial = account.mfa_device()
        if given is not None:
            if not accounts.is_mfa_code(given.strip()):
                raise UsageError("invalid MFA code: expected six digits")
            digits = Secret(given.strip())
        elif process is not None:
            digits = accounts.run_mfa_process(process)
        else:
            asked = f"Enter token for user {account.account.user or name}: "
            expected, hint = "an MFA code is six digits", "--code - reads the code from standard input"
            digits = Secret(console.ask_until(asked, accounts.is_mfa_code, expected=expected, hint=hint))
        session = account.begin_mfa_session(serial, digits, seconds)
        console.say(account.cached()[1])
    else:
        console.say(message)
        console.say("MFA STS token already cached")
    print_credentials(account, session, format, legacy)


@command(timeout=None)
def account_whoami(context: Context) -> None:
    """Print the account whose credentials the shell has, and its region."""
    from venue_access.accounts.session import whoami

    console.result("\n".join(whoami(os.environ)))


@command(
    account="assume the role with the credentials of this account",
    role="assume this role: its name in that account, or its ARN (default: the profile's role)",
    token="use the credentials in the environment, with this session token; - reads it from standard input",
    external_id="pass this external ID to the role; - reads it from standard input",
    duration="set how long the token lasts: 1h (default), 90m, 3600",
    format="print the token in this format: legacy-json (default), or one of issue-token's",
    **SOURCES,
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
    """Print a token of a role, for scripts; a cached MFA session is used if there is one."""
    from venue_access.accounts.session import open_account
    from venue_access.sensitive import Secret
    from venue_access.times import parse_token_duration
    from venue_access.tokens.formats import FormatOptions, find_format
    from venue_access.tokens.issuer import supplied_external_id

    lasting, chosen = parse_token_duration(duration), find_format(format)
    if token == "-" and external_id == "-":
        raise UsageError("--token - and --external-id - cannot both read standard input")
    session_token = console.confidential(token, "session token")
    supplied = console.confidential(external_id, "external ID")
    opened = open_account(os.environ, account, credentials_dir, config)
    external = None if supplied is None else supplied_external_id(supplied)
    if dry(context, f"assume {role or 'the role'} of {opened.account.name}, and print a token"):
        return
    secret = None if session_token is None else Secret(session_token)
    issued = opened.role_token(role, secret, external_id=external, duration=lasting)
    console.payload(chosen.write(issued, FormatOptions(opened.region, opened.account.name)))


@command(
    timeout=None,
    cache="also remove cached credentials (MFA sessions and tokens): all of them, or those of --name",
    name="limit --cache to this account",
    format=SHELL["format"],
    **SOURCES,
)
def account_unset(
    context: Context,
    cache: bool = False,
    name: str | None = None,
    format: str = "env",
    credentials_dir: str | None = None,
    config: str | None = None,
) -> None:
    """Print statements that unset every AWS variable that the kit sets in a shell."""
    from venue_access.accounts.cache import CredentialCache
    from venue_access.accounts.session import UNSET, open_account, statements

    if name is not None and not cache:
        raise UsageError("--name requires --cache", hint="a shell has the credentials of one account: omit --name")
    unsetting = statements(UNSET, format)
    if dry(context, f"{'remove cached credentials, and ' if cache else ''}print statements that unset AWS variables"):
        return
    if name is not None:
        account = open_account(os.environ, name, credentials_dir, config)
        console.say(account.cache.clear_account(account.account, account.account.read_credentials()))
    elif cache:
        console.say(CredentialCache.of(os.environ).clear())
    console.payload(unsetting)


@command(
    timeout=None,
    profile_name="set the profile's name (default: the venue's)",
    user="issue the tokens for this recipient (default: the Unix user)",
    duration="set how long each token lasts: 1h (default), 90m, 3600",
    source_profile="issue with the credentials of this AWS profile",
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
    """Write a profile into ~/.aws/config that issues a venue's token to AWS tools, and renews it."""
    from pathlib import Path

    from venue_access.accounts.profile_writer import Profile, program, write_profile
    from venue_access.accounts.sources import unix_user
    from venue_access.inventory.model import find_recipient, similar_user
    from venue_access.times import parse_token_duration

    parse_token_duration(duration)
    app = open_app(context, inventory)
    chosen = app.venue(venue)
    recipient = find_recipient(chosen, user or unix_user(os.environ), accept_similar=yes or user is None)
    arguments = ["--venue", chosen.name, "--user", recipient.name]
    arguments += ["--inventory", str(app.settings.inventory), "--workdir", str(app.settings.work_directory)]
    arguments += ["--duration", duration] if duration != "1h" else []
    arguments += ["--source-profile", source_profile] if source_profile is not None else []
    arguments += ["--yes"] if similar_user(chosen, recipient.name) is not None else []
    name, is_dry = chosen.name if profile_name is None else profile_name, context.config.run.dry
    endpoint = app.accounts.endpoint(chosen) if is_dry else app.accounts.start_endpoint(chosen)
    profile = Profile(name, [program(), *arguments], chosen.region, endpoint)
    path, changed = write_profile(os.environ, Path.home(), profile, source=source_profile, check=is_dry)
    if dry(context, f"write into {path}:\n{profile.text()}"):
        return
    console.say(f"{'wrote' if changed else 'already up to date:'} profile {profile.name} in {path}")
    console.result(profile.name)
