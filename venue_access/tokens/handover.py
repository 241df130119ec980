"""Chooses the way in which tokens are handed over, from the flags of a delivery."""

from __future__ import annotations

from pathlib import Path

from venue_access.errors import UsageError
from venue_access.inventory.model import Venue
from venue_access.tokens.delivery import DeliveryMethod, DeliveryOptions, OutputTarget, Printed, Text, Written


def handover(options: DeliveryOptions, venue: Venue, *, several: bool, text: Text, keys_folder: Path) -> DeliveryMethod:
    """The way of handing over that was asked for.

    :param text: the format of what is not encrypted.
    :param keys_folder: the inventory's folder, to which the keys' files that it names are relative.
    :raises UsageError: the options contradict each other, or there is no such place.
    """
    if not options.encrypt:
        for flag, given in (("--recipient", options.recipient is not None), ("--passphrase", options.passphrase)):
            if given:
                raise UsageError(
                    f"{flag} says how to encrypt, and nothing is to be encrypted", hint="say --encrypt too"
                )
        return Printed(text) if options.out is None else Written(text, OutputTarget.of(options.out, several=several))
    if options.format != "json":
        raise UsageError(
            "what is encrypted holds the AWS JSON, in whatever --format",
            hint="its note says how to load it in each shell",
        )
    if several and options.recipient is not None:
        raise UsageError(
            "--recipient is of one recipient, and there are several", hint="list their keys in the inventory"
        )

    from venue_access.tokens.encryption.encrypted import Encryption
    from venue_access.tokens.encryption.tokens import EncryptedTokens

    return EncryptedTokens(Encryption.of(options, venue, several=several, keys_folder=keys_folder))
