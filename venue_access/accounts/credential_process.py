"""Respond to ``venue-access-credentials`` when no cached response is valid."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from venue_access import console, deadline, sensitive
from venue_access.accounts.cache import RESPONSES_LOCK, CredentialCache, Session, cache_folder, response_text
from venue_access.accounts.credentials import cached_response
from venue_access.app import App
from venue_access.aws.client import AssumedRole
from venue_access.config import Settings, default_settings
from venue_access.errors import UsageError, VenueAccessError
from venue_access.files import locked, private_directory, write_private
from venue_access.times import parse_duration, parse_token_duration
from venue_access.tokens.delivery import Delivery
from venue_access.tokens.issue import issued_for_one
from venue_access.tokens.issuer import TokenRequest


@contextmanager
def issued_for_oneself(
    settings: Settings, venue: str, user: str, duration: str, *, accept_similar: bool, source_profile: str | None = None
) -> Iterator[AssumedRole]:
    """Issue a token, which the ``with`` block delivers.

    :param accept_similar: accept a user whose name is similar to a known user's.
    :param source_profile: the AWS profile to issue with; it overrides the environment's credentials and the
        inventory's ``aws_profile``.
    :raises VenueAccessError: the venue does not exist, or AWS refuses it.
    :raises DeliveryError: it was issued, and cannot be recorded or delivered.
    """
    app = App.open(settings)
    chosen = app.venue(venue)
    if source_profile is not None:
        chosen = replace(chosen, aws_profile=source_profile)
    request = TokenRequest(chosen, (user,), parse_token_duration(duration), accept_similar=accept_similar)
    ledger = app.ledger(chosen)
    with issued_for_one(app.aws(chosen), ledger, request, Delivery("printed"), "credential_process") as issued:
        yield issued.token


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
                response = _response(options, delivering)
            else:
                with locked(private_directory(Path(file).parent) / RESPONSES_LOCK, timeout=_LOCK_TIMEOUT):
                    cached = cached_response(file, clock())  # another process may have issued it just now
                    response = _response(options, delivering) if cached is None else cached
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
    parser.add_argument("--timeout", default=deadline.DEFAULT, help="limit the time for AWS: 5m (default), 90s")
    parser.add_argument("--source-profile", help="issue with the credentials of this AWS profile")
    return parser.parse_args(arguments)


def _response(options: argparse.Namespace, delivering: ExitStack) -> str:
    with deadline.time_limit(parse_duration(options.timeout, "--timeout"), options.timeout):
        if options.account is not None:
            return _account_response(options.account)
        return _venue_response(options, delivering)


def _account_response(name: str) -> str:
    from venue_access.accounts.session import AccountSession, run_mfa_process
    from venue_access.accounts.sources import AccountSources

    sources = AccountSources.of(os.environ, None, None)
    cache = CredentialCache(cache_folder(os.environ, sources.home))
    account = AccountSession(sources.account(name), cache, os.environ)
    name, process = account.account.name, account.account.mfa_process
    session = account.cached().session
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
    from venue_access.accounts.credential_process import issued_for_oneself
    from venue_access.accounts.sources import unix_user

    # AWS_PROFILE names the profile that runs this process; its credentials are those to be issued.
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        os.environ.pop(name, None)
    if os.environ.get(_NESTED):
        raise UsageError(
            "the profile takes its source credentials from itself",
            hint="name the profile of your own credentials with --source-profile",
        )
    os.environ[_NESTED] = "1"
    token = delivering.enter_context(
        issued_for_oneself(
            default_settings(os.environ, inventory=options.inventory, workdir=options.workdir),
            options.venue,
            options.user or unix_user(os.environ),
            options.duration,
            accept_similar=options.yes or options.user is None,
            source_profile=options.source_profile,
        )
    )
    return response_text(Session(token.credentials, token.expiration), {"arn": token.arn})
