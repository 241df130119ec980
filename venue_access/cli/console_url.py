"""The command ``console-url``: a URL that signs in to the AWS console."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context

from venue_access import console
from venue_access.cli.command import SIMILAR_USER, command, configured, dry, open_app
from venue_access.errors import UsageError

if TYPE_CHECKING:
    from venue_access.tokens.console.session import ConsoleCredentials, ConsoleUrl


@command(
    service="open this page: s3 (the venue's bucket), ecr (its repositories), or a service as the console's URLs"
    " name it (default: the console's home)",
    resource="open this bucket or repository, with --service s3 or ecr",
    destination="open the page with this URL, instead of --service",
    issuer="set the URL that the console shows after the session has expired",
    user="record this user in the ledger (default: you, by the name in your ARN)",
    external_id="use this external ID if you cannot read the stored one; - reads it from standard input",
    reason="record this reason in the ledger",
    from_env="use the credentials in the environment instead of issuing a token",
    token="use a token's JSON instead of issuing one: - reads it from standard input",
    open="open the URL in the browser, and do not print it",
    yes=SIMILAR_USER,
)
def console_url(
    context: Context,
    venue: str | None = None,
    service: str | None = None,
    resource: str | None = None,
    destination: str | None = None,
    issuer: str | None = None,
    user: str | None = None,
    external_id: str | None = None,
    reason: str | None = None,
    from_env: bool = False,
    token: str | None = None,
    open: bool = False,
    yes: bool = False,
    inventory: str | None = None,
) -> None:
    """Print a URL that signs in to the AWS console at a venue's resources; it is a secret for 15 minutes.

    The token that is issued for it is recorded like any other.
    """
    from venue_access.aws.parameters import find_buckets
    from venue_access.tokens.console import session
    from venue_access.tokens.console.site import Page, Site, check_issuer
    from venue_access.tokens.delivery import Delivery
    from venue_access.tokens.issue import issued_for_one
    from venue_access.tokens.issuer import TokenRequest, supplied_external_id

    requested = Page(service, resource, destination)
    if issuer is not None:
        check_issuer(issuer)
    if (from_env or token is not None) and (user, external_id, reason) != (None, None, None):
        raise UsageError("--user, --external-id and --reason are for a token to issue, not for given credentials")
    given = given_credentials(from_env, token)
    typed = console.confidential(external_id, "external ID")
    supplied = None if typed is None else supplied_external_id(typed)

    if given is not None and venue is None:  # needs no inventory
        session.check_has_console(None, os.environ)
        site = Site.of(region_of_environment())
        page = requested.url(site, None, ())
        session.check_given(given, site.region, None)
    else:
        app = open_app(context, inventory)
        found = app.venue(venue, user=user)
        session.check_has_console(found, os.environ)
        site = Site.of(found.region, found.partition)
        aws = app.aws(found) if given is None else session.check_given(given, site.region, found)
        page = requested.url(site, found, find_buckets(aws, found) if service == "s3" else ())

    if dry(context, f"sign in at {site.federation} and open {page}"):
        return
    work = configured(context, inventory).work_directory
    if given is not None:
        show(session.console_url(given, site, page, issuer), work if open else None)
        return
    ledger = app.ledger(found)
    caller = aws.caller()
    name = user or caller.arn.rpartition("/")[2]  # the operator's own name in AWS is not checked for a misspelling
    request = TokenRequest(found, (name,), external_id=supplied, accept_similar=yes or user is None)
    with issued_for_one(aws, ledger, request, Delivery("console"), reason) as issued:
        token_credentials = session.ConsoleCredentials(
            issued.token.credentials, issued.token.expiration, sends_duration=not caller.chains
        )
        url = session.console_url(token_credentials, site, page, issuer)
        console.say(issued.summary())
        show(url, work if open else None)


def show(url: ConsoleUrl, browser_folder: Path | None) -> None:
    """Print the URL, or open it in the browser with a file in ``browser_folder``."""
    from venue_access.tokens.console.sign_in import open_in_browser

    if browser_folder is not None:
        open_in_browser(url.url, browser_folder)
        console.say(f"opened in the browser: {url.summary()}")
        return
    console.say(url.summary())
    console.payload(url.url.reveal())


def given_credentials(from_env: bool, token: str | None) -> ConsoleCredentials | None:
    """Return the credentials of ``--from-env`` or ``--token``, if given."""
    from venue_access.tokens.console.session import from_environment, from_json

    if from_env and token is not None:
        raise UsageError("--from-env and --token exclude each other")
    if from_env:
        return from_environment(os.environ)
    if token is None:
        return None
    if token != "-":
        raise UsageError("--token takes only -: every user of this machine can see a token on the command line")
    return from_json(console.piped("token's JSON"))


def region_of_environment() -> str:
    """Return the region that the environment sets."""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not region:
        raise UsageError("the console's region is not known", hint="name a venue with --venue, or set AWS_REGION")
    return region
