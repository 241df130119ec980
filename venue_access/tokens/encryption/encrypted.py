"""Seals parcels to recipients and writes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Protocol

from venue_access import console
from venue_access.errors import UsageError
from venue_access.inventory.model import Recipient, Venue
from venue_access.sensitive import Secret
from venue_access.tokens.delivery import Delivery, DeliveryOptions, OutputTarget
from venue_access.tokens.encryption.bundle import Bundle
from venue_access.tokens.encryption.keys import GivenKey, given_keys
from venue_access.tokens.encryption.passphrase import generate


class Seal(Protocol):
    """Encrypts a parcel so that one recipient opens it."""

    @property
    def way(self) -> str:
        """For the ledger."""

    @property
    def ending(self) -> str:
        """Of the file's name, with its dot."""

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Of the keys that open it."""

    @property
    def passphrase(self) -> Secret | None:
        """What opens it where no key does; to be told to the recipient by another channel."""

    def seal(self, parcel: Bundle) -> bytes:
        """What the file holds."""


@dataclass(frozen=True)
class Sealing:
    """How and where to seal what several recipients get; what can be refused is refused by ``prepare``.

    :ivar show: shows a passphrase to the operator, once.
    """

    venue: Venue
    place: OutputTarget
    keys_folder: Path
    to: str | None = None
    by_passphrase: bool = False
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc)
    new_passphrase: Callable[[], Secret] = generate
    show: Callable[[str, Secret], None] = console.show_on_terminal
    _seals: dict[str, Seal] = field(default_factory=dict)

    @classmethod
    def of(cls, wishes: DeliveryOptions, venue: Venue, *, several: bool, keys_folder: Path) -> Sealing:
        """What the flags ask for.

        :raises UsageError: they contradict each other, no file can be made there, or there is nobody to show a
            passphrase to.
        """
        if wishes.passphrase:
            if wishes.to is not None:
                raise UsageError("--to and --passphrase exclude each other: a file opens by one of them")
            console.check_terminal("a passphrase")
        place = OutputTarget.of(wishes.out, several=several)
        return cls(venue, place, keys_folder, wishes.to, wishes.passphrase)

    def prepare(self, recipient: Recipient) -> None:
        """Find and check the keys of a recipient.

        :raises UsageError: there is none that can be sealed to.
        """
        self._seals[recipient.name] = self._seal_to(recipient)

    def account(self, recipient: Recipient) -> Delivery:
        """How it is sealed to a recipient who was prepared, for the ledger."""
        seal = self._seals[recipient.name]
        return Delivery(seal.way, seal.fingerprints)

    def deliver(self, recipient: Recipient, parcel: Bundle) -> Path:
        """Seal a parcel to a recipient who was prepared, and write it; then show the passphrase, if it is by one.

        :raises UsageError: it cannot be written.
        """
        seal = self._seals[recipient.name]
        path = self.place.write(parcel.name + seal.ending, seal.seal(parcel))
        if seal.passphrase is not None:
            self.show(f"passphrase of {path}, for {recipient.name}", seal.passphrase)
        return path

    def _seal_to(self, recipient: Recipient) -> Seal:
        """Each kind of seal loads its own package, and none of the other's."""
        if self.by_passphrase:
            from venue_access.tokens.encryption.age import PassphraseSeal

            return PassphraseSeal(self.new_passphrase())
        keys = given_keys(recipient, self.to, folder=self.keys_folder)
        return seal_to_keys(recipient, keys, sender=self.venue.contact, now=self.now())


def seal_to_keys(recipient: Recipient, keys: Sequence[GivenKey], *, sender: str | None, now: datetime) -> Seal:
    """Return what encrypts to keys of a recipient, which are all for age or all certificates.

    :raises UsageError: one of them cannot be encrypted to.
    """
    if not keys[0].is_certificate:
        from venue_access.tokens.encryption.age import AgeSeal, read_key

        return AgeSeal([read_key(key.content.decode()) for key in keys])
    from venue_access.tokens.encryption.smime import SmimeSeal

    return SmimeSeal.to_recipient(recipient, keys, sender=sender, now=now)
