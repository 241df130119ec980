"""Whether AWS is reached: whose keys are used for which account, how long they last, and what time it is there."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from functools import partial

from venue_access import deadline
from venue_access.aws.client import AwsClient
from venue_access.aws.parameters import find_buckets
from venue_access.doctor.check import Check, Grade, wrong
from venue_access.errors import AccessDenied, VenueAccessError
from venue_access.inventory.model import Venue, names_of
from venue_access.inventory.regions import DNS_SUFFIXES

DOUBTFUL, WRONG = timedelta(minutes=1), timedelta(minutes=5)
"""AWS refuses requests that are five minutes old (AWS General Reference, Signature Version 4)."""
SOON = timedelta(minutes=10)
_TIMEOUT = 10.0


def keys(
    venues: Sequence[Venue],
    reach: Callable[[Venue], AwsClient],
    now: datetime,
) -> Check:
    """The keys for venues that are reached in the same way."""
    first = venues[0]
    what = f"keys for {first.account_id} ({names_of(venues)})"
    try:
        aws = reach(first)
        caller = aws.caller()
        ends = aws.credentials_expiry()
    except VenueAccessError as error:
        return wrong(what, error)
    if caller.account_id != first.account_id:
        found = f"they are of account {caller.account_id}: {caller.arn}"
        return Check(what, found, Grade.WRONG, "export keys of that account, or set aws_profile or operator_role_arn")
    if ends is None:
        return Check(what, f"{caller.arn}; how long they last cannot be known")
    left = ends - now
    found = f"{caller.arn}, until {ends.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"
    if left < SOON:
        return Check(what, found, Grade.DOUBTFUL, "they end soon: get new keys before a long run")
    return Check(what, found)


def data_bucket(venue: Venue, reach: Callable[[Venue], AwsClient]) -> Check:
    """Check that the data bucket of a venue can be found, and that it is used for nothing else."""
    what = f"data bucket of {venue.name}"
    try:
        return Check(what, ", ".join(find_buckets(reach(venue), venue)))
    except AccessDenied as error:
        return Check(what, error.message, Grade.DOUBTFUL, error.hint)
    except VenueAccessError as error:
        return wrong(what, error)


def clock(venue: Venue, aws: AwsClient | None, now: Callable[[], datetime]) -> Check:
    """This machine's clock against AWS's, which every answer of AWS carries, whatever it thinks of the keys."""
    what = "clock"
    endpoint = aws.endpoint if aws is not None else None
    domain = DNS_SUFFIXES[venue.partition]
    url = endpoint.url if endpoint is not None else venue.aws_endpoint_url or f"https://sts.{venue.region}.{domain}"
    ca_file = endpoint.ca_file if endpoint is not None else None
    try:
        ask = partial(_date, url, None if ca_file is None else str(ca_file))
        theirs = deadline.current().call("what time it is", url, ask)
    except (OSError, ValueError, VenueAccessError) as error:
        reason = getattr(error, "reason", None) or error
        return Check(what, f"{url} could not be asked: {reason}", Grade.DOUBTFUL, "check the network")
    return skew(now() - theirs)


def skew(off: timedelta) -> Check:
    """The check of a clock that is off by so much."""
    seconds = round(off.total_seconds())
    # What AWS says is whole seconds, and took a moment to come.
    told = "right" if abs(seconds) <= 1 else f"{abs(seconds)} s {'fast' if seconds > 0 else 'slow'}"
    if abs(off) > WRONG:
        return Check("clock", f"{told}; AWS refuses requests", Grade.WRONG, "set this machine's clock")
    if abs(off) > DOUBTFUL:
        return Check("clock", told, Grade.DOUBTFUL, "set this machine's clock: AWS refuses more than 5 minutes")
    return Check("clock", told)


def _date(url: str, ca_file: str | None) -> datetime:
    handlers: list[urllib.request.BaseHandler] = []
    if ca_file is not None:  # on this machine: no proxy of the environment's reaches it
        handlers = [
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca_file)),
        ]
    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=_TIMEOUT) as answer:
            told = answer.headers.get("Date")
    except urllib.error.HTTPError as refused:  # it answers all the same
        told = refused.headers.get("Date")
    if told is None:
        raise ValueError("it does not say what time it is")
    return parsedate_to_datetime(told)
