"""What ``venue-access-credentials`` does where it has no answer that is still good."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

from venue_access import console, deadline, hardening
from venue_access.accounts.cache import ANSWERS_LOCK, Session, SessionCache, answer_text, cache_folder
from venue_access.accounts.credential_cache import still_good
from venue_access.config import default_settings
from venue_access.errors import UsageError, VenueAccessError
from venue_access.files import locked, private_directory, write_private
from venue_access.times import parse_duration

_LOCK_TIMEOUT = 120.0  # seconds: another process is being given a token


def answer_from_aws(arguments: Sequence[str], kept: str | None, clock: Callable[[], float] = time.time) -> int:
    """Answer, and keep the answer for the next time; the exit code.

    :param kept: the file to keep it in, if any.
    """
    hardening.silence_libraries()
    try:
        try:
            asked = _parsed(arguments)
        except SystemExit:  # --help, which argparse has printed
            console.finish()
            return 0
        with ExitStack() as delivering:  # it names a token that is issued here and reaches nobody
            if kept is None:
                console.payload(_answer(asked, delivering).partition("\n")[0])
                return 0
            folder = private_directory(Path(kept).parent)
            with locked(folder / ANSWERS_LOCK, timeout=_LOCK_TIMEOUT):
                text = still_good(kept, clock())  # another process was asked the same just now
                if text is None:
                    text = _answer(asked, delivering)
                    write_private(Path(kept), text)
            console.payload(text.partition("\n")[0])
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


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(prog="venue-access-credentials", allow_abbrev=False, description=_DESCRIPTION)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--venue", help="the venue to be given a token of")
    what.add_argument("--account", help="the account whose session with MFA is meant")
    parser.add_argument("--user", help="who the token is for: the Unix user unless given")
    parser.add_argument(
        "--yes", action="store_true", help="take --user as given, though it is one slip away from a known user's name"
    )
    parser.add_argument("--duration", default="1h", help="how long the token lasts: 1h (default), 90m, 3600")
    parser.add_argument("--inventory", help="the inventory: INVOKE_INVENTORY, or that of the checkout, unless given")
    parser.add_argument("--workdir", help="the work directory, with the ledger: INVOKE_WORKDIR, or the checkout's own")
    parser.add_argument("--timeout", default=deadline.DEFAULT, help="how long AWS may take: 5m (default), 90s")
    parser.add_argument(
        "--source-profile", help="the AWS profile of your own keys, where they are not the default ones"
    )
    return parser.parse_args(arguments)


_INSIDE = "VENUE_ACCESS_CREDENTIALS"
_DESCRIPTION = "Prints AWS credentials as credential_process takes them, from its cache while they are good."


def _answer(asked: argparse.Namespace, delivering: ExitStack) -> str:
    with deadline.time_limit(parse_duration(asked.timeout, "--timeout"), asked.timeout):
        found = _of_account(asked.account) if asked.account is not None else _of_venue(asked, delivering)
    return answer_text(*found)


def _of_account(name: str) -> tuple[Session, dict[str, str]]:
    from venue_access.accounts.account_session import AccountSession
    from venue_access.accounts.find import AccountSources, account_called
    from venue_access.accounts.mfa import code_of

    places = AccountSources.of(os.environ, None, None)
    way = AccountSession(account_called(places, name), SessionCache(cache_folder(os.environ, places.home)), os.environ)
    found = way.cached()
    process = way.account.mfa_process
    if found.session is None and process is None:
        raise UsageError(
            f"{way.account.name} has no session with MFA that is still good",
            hint=f"begin one with: invoke account.mfa --name {way.account.name}",
        )
    session = found.session or way.escalate(lambda: code_of(process or ""), 14_400)
    in_use = way.use(session)
    origin = {"account": way.account.name, **({} if in_use.arn is None else {"arn": in_use.arn})}
    return Session(in_use.keys, in_use.expiration or session.expiration), origin


def _of_venue(asked: argparse.Namespace, delivering: ExitStack) -> tuple[Session, dict[str, str]]:
    from venue_access.accounts.find import unix_user
    from venue_access.accounts.self_issue import issued_for_oneself

    # The profile that AWS_PROFILE names is the one that asks; the keys to issue with are others.
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        os.environ.pop(name, None)
    if os.environ.get(_INSIDE):
        raise UsageError(
            "the keys to issue with are to come from the very profile that asks for a token",
            hint="name the profile of your own keys with --source-profile",
        )
    os.environ[_INSIDE] = "1"
    settings = default_settings(os.environ, inventory=asked.inventory, workdir=asked.workdir)
    user, similar = asked.user or unix_user(os.environ), asked.yes or asked.user is None
    token = delivering.enter_context(
        issued_for_oneself(
            settings,
            asked.venue,
            user,
            asked.duration,
            accept_similar=similar,
            source_profile=asked.source_profile,
        )
    )
    return Session(token.credentials, token.expiration), {"arn": token.arn}
