"""The application context: a validated inventory, and an AWS client for each account."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from venue_access import console
from venue_access.aws.client import AwsClient
from venue_access.aws.sessions import Accounts
from venue_access.config import Settings
from venue_access.errors import UsageError, VenueAccessError
from venue_access.inventory.groups import Inventory
from venue_access.inventory.loader import load_inventory
from venue_access.inventory.model import LedgerBucket, Venue, find_venue
from venue_access.inventory.venues import build_venues, inventory_warnings, venue_warnings
from venue_access.ledger.book import Ledger, StoredLedger, open_ledger, stores_of
from venue_access.ledger.chain import Record

_MAX_WARNINGS = 10


@dataclass(frozen=True)
class App:
    """The venues of an inventory, and the clients for their accounts."""

    settings: Settings
    inventory: Inventory
    venues: dict[str, Venue]
    accounts: Accounts
    unusable: dict[tuple[LedgerBucket | None, str], VenueAccessError] = field(default_factory=dict)
    """The ledgers that could not be opened, by their location and account."""

    @classmethod
    def open(cls, settings: Settings) -> App:
        """Load the inventory that the settings name.

        :raises InventoryError: it is invalid; the error has every problem.
        """
        inventory = load_inventory(settings.inventory)
        warnings = inventory_warnings(inventory)
        for warning in warnings[:_MAX_WARNINGS]:
            console.warn(str(warning))
        if len(warnings) > _MAX_WARNINGS:
            console.warn(f"and {len(warnings) - _MAX_WARNINGS} more; see: invoke inventory.check")
        venues = build_venues(inventory)
        accounts = Accounts(venues.values(), settings.work_directory, console.say, dry=settings.dry)
        return cls(settings, inventory, venues, accounts)

    def venue(self, name: str | None, *, user: str | None = None) -> Venue:
        """Return the venue of ``--venue``, or the only one of the inventory or of the user."""
        return find_venue(self.venues, name, user=user)

    def chosen(self, venue: str | None, limit: str | None) -> list[Venue]:
        """Return the venues of ``--venue`` or ``--limit``, and show their warnings."""
        if limit is None:
            found = [self.venue(venue)]
        elif venue is not None:
            raise UsageError("--venue and --limit exclude each other", hint="--limit takes the names of venues too")
        else:
            from venue_access.inventory.patterns import limit as limited

            selection = limited(self.inventory, limit)
            for piece in selection.unmatched:
                console.warn(f"the limit's {piece!r} matches nothing")
            found = [self.venues[host] for host in selection.hosts]
        for warning in venue_warnings(self.inventory, found):
            console.warn(str(warning))
        return found

    def aws(self, venue: Venue) -> AwsClient:
        """Return the client for a venue's account, as its operator."""
        return self.accounts.aws(venue)

    def ledger(self, venue: Venue, warn: Callable[[str], None] = console.warn) -> Ledger:
        """Return the ledger of a venue, open for new records; ``ledger.aws()`` is the client for its account.

        :param warn: takes a warning of damage.
        :raises VenueAccessError: it is not writable. It is not tried again, which could take half a minute for each of
            many venues.
        """
        place = (venue.ledger, venue.account_id)
        if place in self.unusable:
            raise self.unusable[place]
        try:
            return open_ledger(self.settings, venue, lambda: self.aws(venue), warn)
        except VenueAccessError as error:
            self.unusable[place] = error
            raise

    def ledgers(self, venue: str | None) -> list[StoredLedger]:
        """Return the ledger of a venue, or those of all venues, for reading."""
        chosen = self.venues.values() if venue is None else [self.venue(venue)]
        return stores_of(self.settings, chosen, self.aws)

    def records(
        self, venues: Sequence[Venue], *, otherwise: str = "recipients of an outdated external ID are not known"
    ) -> list[Record]:
        """Return the records of these venues; a ledger that is damaged or not readable is a warning.

        :param otherwise: what is unknown without it, for the warning.
        """
        from venue_access.ledger.verify import read_ledgers  # not imported to append a record

        found: list[Record] = []
        for kept in stores_of(self.settings, venues, self.aws):
            try:
                reading = read_ledgers([kept])
            except VenueAccessError as error:
                console.warn(f"{otherwise}: {error.message}")
                continue
            found += reading.records
            for text in reading.warnings:
                console.warn(text)
        return found
