"""Respond to ``venue-access-credentials`` when no cached response is valid."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from venue_access import console, sensitive, times
from venue_access.accounts.cache import RESPONSES_LOCK, Session, response_text
from venue_access.accounts.credentials import cached_response
from venue_access.accounts.sources import unix_user
from venue_access.app import App
from venue_access.config import default_settings
from venue_access.errors import UsageError, VenueAccessError
from venue_access.files import locked, private_directory, write_private
from venue_access.times import parse_duration, parse_token_duration
from venue_access.tokens.delivery import Delivery
from venue_access.tokens.issue import issued_for_one
from venue_access.tokens.issuer import TokenRequest

_LOCK_TIMEOUT = 120.0  # seconds: another process may be issuing a token
_NESTED = "VENUE_ACCESS_CREDENTIALS"
"""Set in the environment of this process and its children, to detect a profile that uses itself as its source."""
_DESCRIPTION = "Print AWS credentials for credential_process, from the cache while they are valid."


def respond(arguments: Sequence[str], file: str | None, clock: Callable[[], float] = time.time) -> int:
    """Print credentials, cache them, and return the exit code.

    :param file: the file to cache them in, if any.
    """
    sensitive.silence_libraries()
    try:
        try:
            options = _parse(arguments)
        except SystemExit:  # --help, which argparse has printed
            console.finish()
            return 0
        with ExitStack() as delivering:  # names a token that was issued here and could not be printed
            if file is None:
                response = _new_response(options, delivering)
            else:
                with locked(private_directory(Path(file).parent) / RESPONSES_LOCK, timeout=_LOCK_TIMEOUT):
                    cached = cached_response(file, clock())  # another process may have issued it just now
                    response = _new_response(options, delivering) if cached is None else cached
                    if cached is None:
                        write_private(Path(file), response)
            console.payload(response.partition("\n")[0])
        return 0
    except VenueAccessError as error:
        console.error(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        console.error("interrupted")
        return 130


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=" ".join(self.format_usage().split()))


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(prog="venue-access-credentials", allow_abbrev=False, description=_DESCRIPTION)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--venue", help="issue a token of this venue")
    what.add_argument("--account", help="use the MFA session of this account")
    parser.add_argument("--user", help="issue the token for this recipient (default: the Unix user)")
    parser.add_argument("--yes", action="store_true", help="accept a --user whose name is similar to a known user's")
    parser.add_argument("--duration", default="1h", help="set how long the token lasts: 1h (default), 90m, 3600")
    parser.add_argument("--inventory", help="use this inventory (default: INVOKE_INVENTORY, or the checkout's)")
    parser.add_argument("--workdir", help="use this work directory (default: INVOKE_WORKDIR, or the checkout's)")
    parser.add_argument("--timeout", default=times.DEFAULT, help="limit the time for AWS: 5m (default), 90s")
    parser.add_argument("--source-profile", help="issue with the credentials of this AWS profile")
    return parser.parse_args(arguments)


def _new_response(options: argparse.Namespace, delivering: ExitStack) -> str:
    with times.time_limit(parse_duration(options.timeout, "--timeout"), options.timeout):
        if options.account is not None:
            return _account_response(options.account)
        return _venue_response(options, delivering)


def _account_response(name: str) -> str:
    from venue_access.accounts.session import open_account, run_mfa_process

    account = open_account(os.environ, name)
    name, process = account.account.name, account.account.mfa_process
    session, _ = account.cached()
    if session is None:
        if process is None:
            raise UsageError(
                f"{name} has no valid MFA session", hint=f"begin one with: invoke account.mfa --name {name}"
            )
        session = account.begin_mfa_session(account.mfa_device(), run_mfa_process(process), 14_400)
    active = account.activate(session)
    origin = {"account": name} if active.role_session_arn is None else {"account": name, "arn": active.role_session_arn}
    return response_text(Session(active.credentials, active.expiration or session.expiration), origin)


def _venue_response(options: argparse.Namespace, delivering: ExitStack) -> str:
    # AWS_PROFILE names the profile that runs this process; its credentials are those to be issued.
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        os.environ.pop(name, None)
    if os.environ.get(_NESTED):
        raise UsageError(
            "the profile takes its source credentials from itself",
            hint="name the profile of your own credentials with --source-profile",
        )
    os.environ[_NESTED] = "1"
    app = App.open(default_settings(os.environ, inventory=options.inventory, workdir=options.workdir))
    venue = app.venue(options.venue)
    if options.source_profile is not None:  # overrides the environment's credentials and the inventory's aws_profile
        venue = replace(venue, aws_profile=options.source_profile)
    user, accept_similar = options.user or unix_user(os.environ), options.yes or options.user is None
    duration = parse_token_duration(options.duration)
    request = TokenRequest(venue, (user,), duration, accept_similar=accept_similar)
    issued = delivering.enter_context(
        issued_for_one(app.aws(venue), app.ledger(venue), request, Delivery("printed"), "credential_process")
    )
    return response_text(Session(issued.token.credentials, issued.token.expiration), {"arn": issued.token.arn})
