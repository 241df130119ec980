"""Checks that call AWS: the credentials for each account, data buckets, and this machine's clock."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial

from venue_access import deadline
from venue_access.aws.client import Endpoint
from venue_access.aws.parameters import find_buckets
from venue_access.aws.sessions import Accounts
from venue_access.doctor.check import Check, Level, failed
from venue_access.errors import AccessDenied, VenueAccessError
from venue_access.inventory.model import Venue, names_of
from venue_access.inventory.regions import DNS_SUFFIXES
from venue_access.times import to_minute

SKEW_WARNING, SKEW_ERROR = timedelta(minutes=1), timedelta(minutes=5)
"""AWS refuses requests that are five minutes old (AWS General Reference, Signature Version 4)."""
_SOON = timedelta(minutes=10)
_TIMEOUT = 10.0  # seconds


def credentials(venues: Sequence[Venue], accounts: Accounts, now: datetime) -> Check:
    """Check the credentials for venues that share an account and its credentials."""
    first = venues[0]
    what = f"credentials for {first.account_id} ({names_of(venues)})"
    try:
        aws = accounts.aws(first)
        caller = aws.caller()
        expiry = aws.credentials_expiry()
    except VenueAccessError as error:
        return failed(what, error)
    if caller.account_id != first.account_id:
        found = f"they are of account {caller.account_id}: {caller.arn}"
        remedy = "export credentials of that account, or set aws_profile or operator_role_arn"
        return Check(what, found, Level.ERROR, remedy)
    if expiry is None:
        return Check(what, f"{caller.arn}; expiry unknown")
    found = f"{caller.arn}, until {to_minute(expiry)}"
    if expiry - now < _SOON:
        return Check(what, found, Level.WARNING, "they expire soon: get new credentials before a long run")
    return Check(what, found)


def data_bucket(venue: Venue, accounts: Accounts) -> Check:
    """Check that the data bucket of a venue exists by name, and is used for nothing else."""
    what = f"data bucket of {venue.name}"
    try:
        return Check(what, ", ".join(find_buckets(accounts.aws(venue), venue)))
    except AccessDenied as error:
        return Check(what, error.message, Level.WARNING, error.hint)
    except VenueAccessError as error:
        return failed(what, error)


def clock(venue: Venue, endpoint: Endpoint | None, now: Callable[[], datetime]) -> Check:
    """Compare this machine's clock with AWS's, which is in each response, also without credentials."""
    url = endpoint.url if endpoint is not None else f"https://sts.{venue.region}.{DNS_SUFFIXES[venue.partition]}"
    try:
        theirs = deadline.current().call("HEAD", url, partial(_date, url, endpoint))
    except (OSError, ValueError, VenueAccessError) as error:
        reason = getattr(error, "reason", None) or error
        return Check("clock", f"no time from {url}: {reason}", Level.WARNING, "check the network")
    return skew(now() - theirs)


def skew(off: timedelta) -> Check:
    """Return the check of a clock that is off by so much."""
    seconds = round(off.total_seconds())
    # AWS sends whole seconds, and the response takes a moment.
    found = "correct" if abs(seconds) <= 1 else f"{abs(seconds)} s {'fast' if seconds > 0 else 'slow'}"
    if abs(off) > SKEW_ERROR:
        return Check("clock", f"{found}; AWS refuses requests", Level.ERROR, "set this machine's clock")
    if abs(off) > SKEW_WARNING:
        return Check("clock", found, Level.WARNING, "set this machine's clock: AWS refuses more than 5 minutes")
    return Check("clock", found)


def _date(url: str, endpoint: Endpoint | None) -> datetime:
    handlers: list[urllib.request.BaseHandler] = []
    if endpoint is not None and endpoint.is_local:
        handlers.append(urllib.request.ProxyHandler({}))
    if endpoint is not None and endpoint.ca_file is not None:
        trust = ssl.create_default_context(cafile=str(endpoint.ca_file))
        handlers.append(urllib.request.HTTPSHandler(context=trust))
    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=_TIMEOUT) as response:
            date = response.headers.get("Date")
    except urllib.error.HTTPError as refused:  # a refusal has the date too
        date = refused.headers.get("Date")
    if date is None:
        raise ValueError("the response has no date")
    return parsedate_to_datetime(date)
