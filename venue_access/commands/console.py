"""The console: a URL that signs in."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from invoke.context import Context

from venue_access import ui
from venue_access.commands.command import command, configured, kit
from venue_access.errors import RequestError

if TYPE_CHECKING:
    from venue_access.tokens.console.credentials import Credentials


@command(
    service="the page to open: s3 (the venue's bucket), ecr (its repositories), or a service as the console's URLs"
    " name it; the console's home unless given",
    resource="with --service s3 or ecr: the bucket or repository to open",
    destination="the page to open by its URL, instead of --service",
    issuer="where the console sends you when the session has ended: a URL of yours",
    user="whom the ledger is to name; you unless given, as AWS knows you",
    external_id="the external ID, where you may not read the stored one; - reads it from standard input",
    reason="why, for the ledger",
    from_env="use the credentials in the environment instead of issuing a token",
    token="use a token's JSON instead of issuing one: - reads it from standard input",
    open="hand the URL to the browser and do not print it",
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
    inventory: str | None = None,
) -> None:
    """A URL that signs in to the AWS console, at a venue's bucket or repositories; it is a secret for 15 minutes."""
    from venue_access.buckets import find_buckets
    from venue_access.masked import scrub
    from venue_access.tokens.console import session
    from venue_access.tokens.console.browser import open_in_browser
    from venue_access.tokens.console.site import Site, check_issuer, service_page
    from venue_access.tokens.entries import enter_delivery
    from venue_access.tokens.issue import supplied_external_id

    if service is not None and destination is not None:
        raise RequestError("--service and --destination exclude each other")
    if resource is not None and service is None:
        raise RequestError("--resource goes with --service s3 or ecr")
    if issuer is not None:
        check_issuer(issuer)
    if (from_env or token is not None) and (user, external_id, reason) != (None, None, None):
        raise RequestError(
            "--user, --external-id and --reason are of a token that is issued; these credentials are there"
        )
    given = given_credentials(from_env, token)
    supplied = ui.confidential(external_id, "external ID")
    confidential = None if supplied is None else supplied_external_id(supplied)
    here = kit(context, inventory) if given is None or venue is not None else None
    chosen = None if here is None else here.venue(venue, user=user)
    session.check_has_console(chosen, os.environ)
    region = chosen.region if chosen is not None else region_of_environment()
    site = Site.of(region)
    if destination is not None:
        site.check_destination(destination)
    if given is not None:
        given.session_duration(datetime.now(timezone.utc))  # what has run out needs no call
        aws = session.check_given(given, region, chosen)
    else:
        assert here is not None
        assert chosen is not None
        aws = here.aws(chosen)
    if service is not None:
        buckets = find_buckets(aws, chosen) if service == "s3" and chosen is not None else ()
        destination = service_page(site, service, chosen, buckets, resource)
    page = destination or site.page("console/home")
    if context.config.run.dry:
        ui.say(f"would sign in at {site.federation} and open {page}")
        return
    if given is not None:
        made = session.console_url(given, site, page, issuer)
    else:
        assert here is not None
        assert chosen is not None
        ledger = here.ledger(chosen)
        credentials, issued = session.issue_for_console(
            ledger,
            chosen,
            user=user,
            external_id=confidential,
            reason=None if reason is None else scrub(reason, confidential),
        )
        made = session.console_url(credentials, site, page, issuer)
        ui.say(issued.summary())
        enter_delivery(ledger, issued, session.DELIVERY)
    if open:
        open_in_browser(made.url, configured(context, inventory).work_directory)
        ui.say(made.lasts().replace("the URL signs in", "opened in the browser; its URL signs in"))
    else:
        ui.say(made.lasts())
        ui.result(made.url.reveal())


def given_credentials(from_env: bool, token: str | None) -> Credentials | None:
    """The credentials that are given, where some are."""
    from venue_access.tokens.console.credentials import from_environment, from_json

    if from_env and token is not None:
        raise RequestError("--from-env and --token exclude each other")
    if from_env:
        return from_environment(os.environ)
    if token is None:
        return None
    if token != "-":
        raise RequestError("--token takes only -: a token on the command line is seen by everybody on this machine")
    return from_json(ui.piped("token's JSON"))


def region_of_environment() -> str:
    """The region that the environment names."""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not region:
        raise RequestError("which region's console?", hint="name a venue with --venue, or set AWS_REGION")
    return region
