"""What most commands work with: the inventory, read and checked, and the ways to its accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from venue_access import ui
from venue_access.accounts import Accounts
from venue_access.aws import Aws
from venue_access.config import Settings
from venue_access.errors import RequestError, VenueAccessError
from venue_access.inventory.find import find_venue
from venue_access.inventory.loader import load_inventory
from venue_access.inventory.model import Venue
from venue_access.inventory.patterns import limit as limited
from venue_access.inventory.tree import Inventory
from venue_access.inventory.venues import build_venues, warnings
from venue_access.ledger.book import Kept, Ledger, open_ledger, stores_of
from venue_access.ledger.record import Record
from venue_access.ledger.verify import records_of


@dataclass(frozen=True)
class Kit:
    """An inventory's venues and how to reach them."""

    settings: Settings
    inventory: Inventory
    venues: dict[str, Venue]
    accounts: Accounts

    @classmethod
    def open(cls, settings: Settings) -> Kit:
        """Read the inventory that the settings name.

        :raises InventoryError: it is wrong; every problem is in it.
        """
        inventory = load_inventory(settings.inventory)
        for file in inventory.unused:
            ui.warn(f"{file} names no group or host of the inventory")
        venues = build_venues(inventory)
        return cls(settings, inventory, venues, Accounts(venues.values(), settings.work_directory, ui.say))

    def venue(self, name: str | None, *, user: str | None = None) -> Venue:
        """The venue that ``--venue`` means, or that the inventory or the user's own venues leave."""
        return find_venue(self.venues, name, user=user)

    def chosen(self, venue: str | None, limit: str | None) -> list[Venue]:
        """The venues that ``--venue`` or ``--limit`` means, with a warning of what is probably not meant."""
        if limit is None:
            found = [self.venue(venue)]
        elif venue is not None:
            raise RequestError("--venue and --limit exclude each other", hint="--limit takes the names of venues too")
        else:
            selection = limited(self.inventory, limit)
            for piece in selection.unmatched:
                ui.warn(f"the limit's {piece!r} matches nothing")
            found = [self.venues[host] for host in selection.hosts]
        for text in (text for each in found for text in warnings(each)):
            ui.warn(text)
        return found

    def aws(self, venue: Venue) -> Aws:
        """The way to a venue's account, as its operator."""
        return self.accounts.aws(venue)

    def ledger(self, venue: Venue) -> Ledger:
        """The ledger of a venue, open for entries; ``ledger.aws()`` is the way to its account.

        :raises VenueAccessError: nothing can be entered into it.
        """
        return open_ledger(self.settings, venue, lambda: self.aws(venue))

    def ledgers(self, venue: str | None) -> list[Kept]:
        """The ledger of a venue, or those of all, to be read."""
        chosen = self.venues.values() if venue is None else [self.venue(venue)]
        return stores_of(self.settings, chosen, self.aws)

    def records(
        self, venues: Sequence[Venue], *, otherwise: str = "who holds an old external ID cannot be told"
    ) -> list[Record]:
        """What the ledgers of these venues hold; one that cannot be read is a warning.

        :param otherwise: what is not known without it.
        """
        found: list[Record] = []
        for kept in stores_of(self.settings, venues, self.aws):
            try:
                found += records_of([kept])[0]
            except VenueAccessError as error:
                ui.warn(f"{otherwise}: {error.message}")
        return found
