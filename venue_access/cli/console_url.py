"""The console: a URL that signs in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context

from venue_access import console
from venue_access.cli.command import SIMILAR_USER, command, configured, dry, open_app
from venue_access.errors import UsageError

if TYPE_CHECKING:
    from venue_access.tokens.console.credentials import ConsoleCredentials
    from venue_access.tokens.console.session import ConsoleUrl


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
    """Print a URL that signs in to the AWS console at a venue's resources; it is a secret for 15 minutes."""
    from venue_access.aws.buckets import find_buckets
    from venue_access.tokens.console import session
    from venue_access.tokens.console.site import Page, Site, check_issuer
    from venue_access.tokens.issue import supplied_external_id

    wanted = Page(service, resource, destination)
    if issuer is not None:
        check_issuer(issuer)
    if (from_env or token is not None) and (user, external_id, reason) != (None, None, None):
        raise UsageError("--user, --external-id and --reason are of a token that is issued, not of one you have")
    given = given_credentials(from_env, token)
    typed = console.confidential(external_id, "external ID")
    supplied = None if typed is None else supplied_external_id(typed)

    if given is not None and venue is None:  # no inventory is needed
        session.check_has_console(None, os.environ)
        site = Site.of(region_of_environment())
        page = wanted.url(site, None, lambda: ())
        session.check_given(given, site.region, None)
    else:
        app = open_app(context, inventory)
        chosen = app.venue(venue, user=user)
        session.check_has_console(chosen, os.environ)
        site = Site.of(chosen.region, chosen.partition)
        aws = app.aws(chosen) if given is None else session.check_given(given, site.region, chosen)
        page = wanted.url(site, chosen, lambda: find_buckets(aws, chosen))

    if dry(context, f"sign in at {site.federation} and open {page}"):
        return
    work = configured(context, inventory).work_directory
    if given is not None:
        show(session.console_url(given, site, page, issuer), work if open else None)
        return
    asked = session.Asked(chosen, user, supplied, reason, accept_similar=yes)
    with session.issued_for_console(app.ledger(chosen), asked, site, page, issuer) as (made, issued):
        console.say(issued.summary())
        show(made, work if open else None)


def show(made: ConsoleUrl, browser_folder: Path | None) -> None:
    """Print the URL; or open it in the browser, by a file in ``browser_folder``."""
    from venue_access.tokens.console.browser import open_in_browser

    if browser_folder is not None:
        open_in_browser(made.url, browser_folder)
        console.say(f"opened in the browser: {made.lasts()}")
        return
    console.say(made.lasts())
    console.payload(made.url.reveal())


def given_credentials(from_env: bool, token: str | None) -> ConsoleCredentials | None:
    """The credentials that are given, where some are."""
    from venue_access.tokens.console.credentials import from_environment, from_json

    if from_env and token is not None:
        raise UsageError("--from-env and --token exclude each other")
    if from_env:
        return from_environment(os.environ)
    if token is None:
        return None
    if token != "-":
        raise UsageError("--token takes only -: a token on the command line is seen by everybody on this machine")
    return from_json(console.piped("token's JSON"))


def region_of_environment() -> str:
    """The region that the environment names."""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not region:
        raise UsageError("which region's console?", hint="name a venue with --venue, or set AWS_REGION")
    return region
