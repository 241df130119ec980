"""What most commands work with: the inventory, read and checked, and the ways to its accounts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from venue_access import console
from venue_access.aws.client import AwsClient
from venue_access.aws.sessions import Accounts
from venue_access.config import Settings
from venue_access.errors import UsageError, VenueAccessError
from venue_access.inventory.find import find_venue
from venue_access.inventory.groups import Inventory
from venue_access.inventory.loader import load_inventory
from venue_access.inventory.model import LedgerBucket, Venue
from venue_access.inventory.patterns import limit as limited
from venue_access.inventory.venues import build_venues, inventory_warnings, venue_warnings
from venue_access.ledger.book import Kept, Ledger, open_ledger, stores_of
from venue_access.ledger.record import Record
from venue_access.ledger.verify import read_ledgers

_MAX_WARNINGS = 10


@dataclass(frozen=True)
class App:
    """An inventory's venues and how to reach them."""

    settings: Settings
    inventory: Inventory
    venues: dict[str, Venue]
    accounts: Accounts
    unusable: dict[tuple[LedgerBucket | None, str], VenueAccessError] = field(default_factory=dict)
    """The ledgers that could not be opened, by their place and the account they are reached from."""

    @classmethod
    def open(cls, settings: Settings) -> App:
        """Read the inventory that the settings name.

        :raises InventoryError: it is wrong; every problem is in it.
        """
        inventory = load_inventory(settings.inventory)
        warnings = inventory_warnings(inventory)
        for warning in warnings[:_MAX_WARNINGS]:
            console.warn(str(warning))
        if len(warnings) > _MAX_WARNINGS:
            console.warn(f"and {len(warnings) - _MAX_WARNINGS} more; see: invoke inventory.check")
        venues = build_venues(inventory)
        return cls(
            settings,
            inventory,
            venues,
            Accounts(venues.values(), settings.work_directory, console.say, dry=settings.dry),
        )

    def venue(self, name: str | None, *, user: str | None = None) -> Venue:
        """The venue that ``--venue`` means, or that the inventory or the user's own venues leave."""
        return find_venue(self.venues, name, user=user)

    def chosen(self, venue: str | None, limit: str | None) -> list[Venue]:
        """The venues that ``--venue`` or ``--limit`` means, with a warning of what is probably not meant."""
        if limit is None:
            found = [self.venue(venue)]
        elif venue is not None:
            raise UsageError("--venue and --limit exclude each other", hint="--limit takes the names of venues too")
        else:
            selection = limited(self.inventory, limit)
            for piece in selection.unmatched:
                console.warn(f"the limit's {piece!r} matches nothing")
            found = [self.venues[host] for host in selection.hosts]
        for warning in venue_warnings(self.inventory, found):
            console.warn(str(warning))
        return found

    def aws(self, venue: Venue) -> AwsClient:
        """The way to a venue's account, as its operator."""
        return self.accounts.aws(venue)

    def ledger(self, venue: Venue, warn: Callable[[str], None] = console.warn) -> Ledger:
        """The ledger of a venue, open for entries; ``ledger.aws()`` is the way to its account.

        :param warn: takes a warning of damage.
        :raises VenueAccessError: nothing can be entered into it; once that is known it is not tried again, which for
            each of many venues could take half a minute.
        """
        place = (venue.ledger, venue.account_id)
        if place in self.unusable:
            raise self.unusable[place]
        try:
            return open_ledger(self.settings, venue, lambda: self.aws(venue), warn)
        except VenueAccessError as error:
            self.unusable[place] = error
            raise

    def ledgers(self, venue: str | None) -> list[Kept]:
        """The ledger of a venue, or those of all, to be read."""
        chosen = self.venues.values() if venue is None else [self.venue(venue)]
        return stores_of(self.settings, chosen, self.aws)

    def records(
        self, venues: Sequence[Venue], *, otherwise: str = "who holds an old external ID cannot be told"
    ) -> list[Record]:
        """Return what the ledgers of these venues hold; one that is damaged or cannot be read is a warning.

        :param otherwise: what is not known without it.
        """
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
