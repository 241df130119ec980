"""Encrypts parcels to recipients and writes them."""

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


class Encryptor(Protocol):
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

    def encrypt(self, parcel: Bundle) -> bytes:
        """What the file holds."""


@dataclass(frozen=True)
class Encryption:
    """How and where to encrypt what several recipients get; what can be refused is refused by ``prepare``.

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
    _encryptors: dict[str, Encryptor] = field(default_factory=dict)

    @classmethod
    def of(cls, options: DeliveryOptions, venue: Venue, *, several: bool, keys_folder: Path) -> Encryption:
        """What the flags ask for.

        :raises UsageError: they contradict each other, no file can be made there, or there is nobody to show a
            passphrase to.
        """
        if options.passphrase:
            if options.recipient is not None:
                raise UsageError("--recipient and --passphrase exclude each other: a file opens by one of them")
            console.check_terminal("a passphrase")
        place = OutputTarget.of(options.out, several=several)
        return cls(venue, place, keys_folder, options.recipient, options.passphrase)

    def prepare(self, recipient: Recipient) -> None:
        """Find and check the keys of a recipient.

        :raises UsageError: there is none that can be encrypted to.
        """
        self._encryptors[recipient.name] = self._encrypt_to(recipient)

    def account(self, recipient: Recipient) -> Delivery:
        """How it is encrypted to a recipient who was prepared, for the ledger."""
        encrypt = self._encryptors[recipient.name]
        return Delivery(encrypt.way, encrypt.fingerprints)

    def deliver(self, recipient: Recipient, parcel: Bundle) -> Path:
        """Encrypt a bundle to a recipient who was prepared, and write it; then show the passphrase, if it is by one.

        :raises UsageError: it cannot be written.
        """
        encrypt = self._encryptors[recipient.name]
        path = self.place.write(parcel.name + encrypt.ending, encrypt.encrypt(parcel))
        if encrypt.passphrase is not None:
            self.show(f"passphrase of {path}, for {recipient.name}", encrypt.passphrase)
        return path

    def _encrypt_to(self, recipient: Recipient) -> Encryptor:
        """Each kind of encrypt loads its own package, and none of the other's."""
        if self.by_passphrase:
            from venue_access.tokens.encryption.age import PassphraseEncryption

            return PassphraseEncryption(self.new_passphrase())
        keys = given_keys(recipient, self.to, folder=self.keys_folder)
        return encrypt_to_keys(recipient, keys, sender=self.venue.contact, now=self.now())


def encrypt_to_keys(recipient: Recipient, keys: Sequence[GivenKey], *, sender: str | None, now: datetime) -> Encryptor:
    """Return what encrypts to keys of a recipient, which are all for age or all certificates.

    :raises UsageError: one of them cannot be encrypted to.
    """
    if not keys[0].is_certificate:
        from venue_access.tokens.encryption.age import AgeEncryption, read_key

        return AgeEncryption([read_key(key.content.decode()) for key in keys])
    from venue_access.tokens.encryption.smime import SmimeEncryption

    return SmimeEncryption.to_recipient(recipient, keys, sender=sender, now=now)
