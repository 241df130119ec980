"""Commands for the ledger: list issued tokens, verify the hash chain."""

from __future__ import annotations

from datetime import datetime, timezone

from invoke.context import Context

from venue_access import console
from venue_access.cli.command import command, open_app


@command(
    live="list only tokens that are neither expired nor revoked",
    user="list only tokens of this recipient: a name or an email address",
    venue="list only tokens of this venue",
    since="list only tokens issued since then: 7d, 12h, 30m, or a day such as 2026-11-20 (UTC)",
    proofs="also list the kit's own proof sessions",
)
def tokens(
    context: Context,
    live: bool = False,
    user: str | None = None,
    venue: str | None = None,
    since: str | None = None,
    proofs: bool = False,
    json: bool = False,
    inventory: str | None = None,
) -> None:
    """List the issued tokens in the ledger."""
    from venue_access.inventory.model import names_called
    from venue_access.ledger.listing import listed, table
    from venue_access.ledger.listing import since as time_of
    from venue_access.ledger.verify import read_ledgers

    app, now = open_app(context, inventory), datetime.now(timezone.utc)
    reading = read_ledgers(app.ledgers(venue))
    for text in reading.warnings:
        console.warn(text)
    found = listed(
        reading.records,
        now,
        unverified=reading.unverified,
        proofs=proofs,
        live=live,
        recipients=None if user is None else names_called(app.venues.values(), user),
        venue=None if venue is None else app.venue(venue).name,
        since=None if since is None else time_of(since, now),
    )
    if json:
        console.result_json({"tokens": [each.document() for each in found]})
    elif found:
        console.result("\n".join(table(found)))
    else:
        console.say("no matching token was issued")


@command(head="check that the ledger still has this earlier head, printed by ledger.head")
def ledger_verify(
    context: Context, head: str | None = None, venue: str | None = None, inventory: str | None = None
) -> None:
    """Verify that no record of the ledger was changed, removed, moved or inserted."""
    from venue_access.ledger.verify import verify

    verified = verify(open_app(context, inventory).ledgers(venue), head)
    for note in verified.notes:
        console.warn(note)
    for line in verified.lines:
        console.result(line)


@command()
def ledger_head(context: Context, venue: str | None = None, inventory: str | None = None) -> None:
    """Print the hash of the ledger's last record, to be stored elsewhere."""
    from venue_access.ledger.verify import head

    console.result(head(open_app(context, inventory).ledgers(venue)))
