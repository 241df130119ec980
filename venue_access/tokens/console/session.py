"""A console session: from a token that is issued for it, or from credentials that somebody has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial

from venue_access import deadline
from venue_access.aws.client import AwsClient
from venue_access.aws.identity import caller_in_account
from venue_access.errors import UsageError
from venue_access.inventory.model import Venue
from venue_access.ledger.book import Ledger
from venue_access.sensitive import ExternalId, Secret
from venue_access.tokens.console.credentials import ConsoleCredentials, check_can_sign_in
from venue_access.tokens.console.sign_in import signin_token
from venue_access.tokens.console.site import URL_LASTS, Site
from venue_access.tokens.delivery import Delivery
from venue_access.tokens.issue import Issued, TokenRequest
from venue_access.tokens.ledger_recording import issued_for_one

_DELIVERY = Delivery("console")


@dataclass(frozen=True)
class ConsoleUrl:
    """A URL that signs in whoever opens it."""

    url: Secret
    expires: datetime
    """When the URL does; UTC."""
    session_ends: datetime | None
    """When the console session does; UTC; None where it is not known."""

    def lasts(self) -> str:
        """How long the URL and the session last, in a line."""
        ends = self.session_ends
        session = "the session lasts as long as the credentials" if ends is None else f"the session until {_time(ends)}"
        return f"the URL signs in whoever opens it for 15 minutes, until {_time(self.expires)}; {session}"


def check_has_console(venue: Venue | None, variables: Mapping[str, str]) -> None:
    """See that the credentials are AWS's own, for which there is a console.

    :raises UsageError: the venue, or the environment, names another endpoint.
    """
    hint = "a console is only at AWS itself; credentials of another service are not sent there"
    if venue is not None and venue.endpoint_name is not None:
        raise UsageError(f"{venue.name} is at {venue.endpoint_name}, which has no console", hint=hint)
    for name in ("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"):
        if variables.get(name):
            raise UsageError(f"{name} is set: what it names has no sign-in service and no console", hint=hint)


@dataclass(frozen=True)
class Asked:
    """The token that is to be issued for the console."""

    venue: Venue
    user: str | None = None
    """Whom it is for; None is the operator, by the name that AWS has for them."""
    external_id: ExternalId | None = None
    """As it was supplied; None takes the stored one, which a caller of another account cannot read."""
    reason: str | None = None
    accept_similar: bool = False
    """Take a ``user`` who is one slip away from a listed one as given."""


@contextmanager
def issued_for_console(
    ledger: Ledger, asked: Asked, site: Site, destination: str, issuer: str | None = None
) -> Iterator[tuple[ConsoleUrl, Issued]]:
    """Issue a token of the venue's role, recorded like any other, and sign in with it.

    The ``with`` block shows the URL.

    :raises VenueAccessError: no token is issued.
    :raises DeliveryError: one is issued, and AWS gives no sign-in token for it, or the URL cannot be shown.
    """
    caller = ledger.aws().caller()
    user = asked.user or caller.arn.rpartition("/")[2]
    similar = asked.accept_similar or asked.user is None  # what AWS calls the operator is no slip
    request = TokenRequest(asked.venue, (user,), external_id=asked.external_id, accept_similar=similar)
    with issued_for_one(ledger, request, _DELIVERY, asked.reason) as issued:
        credentials = ConsoleCredentials(
            issued.token.credentials, issued.token.expiration, lends_duration=not caller.chains
        )
        yield console_url(credentials, site, destination, issuer), issued


def check_given(
    credentials: ConsoleCredentials,
    region: str,
    venue: Venue | None,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
) -> AwsClient:
    """See that given credentials work, can sign in, and are of the venue's account; the way to AWS with them.

    :raises UsageError: they do not last long enough, or cannot sign in.
    :raises CredentialsError: they do not work, or are of another account.
    """
    credentials.session_duration(now())  # what has run out needs no call
    aws = AwsClient(region=region, credentials=credentials.keys)
    hint = "leave --venue out, or give credentials of that account"
    check_can_sign_in(aws.caller() if venue is None else caller_in_account(aws, venue, hint=hint))
    return aws


def console_url(
    credentials: ConsoleCredentials,
    site: Site,
    destination: str,
    issuer: str | None = None,
    *,
    exchange: Callable[..., Secret] = signin_token,
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
) -> ConsoleUrl:
    """Sign in with credentials.

    :raises UsageError: they do not last long enough.
    :raises AwsError: AWS gives no sign-in token for them, or cannot be reached.
    """
    duration = credentials.session_duration(now())
    signed_in = now()
    ask = partial(exchange, site.federation, credentials.keys, session_duration=duration)
    found = deadline.current().call("the request for a sign-in token", site.federation, ask)
    return ConsoleUrl(
        site.login_url(found, destination=destination, issuer=issuer),
        signed_in + timedelta(seconds=URL_LASTS),
        credentials.expiration,
    )


def _time(moment: datetime) -> str:
    return f"{moment:%H:%M} UTC ({moment.astimezone():%H:%M %Z} here)"
