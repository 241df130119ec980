"""Chooses the way in which tokens are handed over, from the flags of a delivery."""

from __future__ import annotations

from pathlib import Path

from venue_access.errors import UsageError
from venue_access.inventory.model import Venue
from venue_access.tokens.delivery import DeliveryMethod, DeliveryOptions, OutputTarget, Printed, Text, Written


def handover(wishes: DeliveryOptions, venue: Venue, *, several: bool, text: Text, keys_folder: Path) -> DeliveryMethod:
    """The way of handing over that was asked for.

    :param text: the format of what is not sealed.
    :param keys_folder: the inventory's folder, to which the keys' files that it names are relative.
    :raises UsageError: the wishes contradict each other, or there is no such place.
    """
    if not wishes.seal:
        for flag, given in (("--to", wishes.to is not None), ("--passphrase", wishes.passphrase)):
            if given:
                raise UsageError(f"{flag} says how to seal, and nothing is to be sealed", hint="say --seal too")
        return Printed(text) if wishes.out is None else Written(text, OutputTarget.of(wishes.out, several=several))
    if wishes.format != "json":
        raise UsageError(
            "what is sealed holds the AWS JSON, in whatever --format", hint="its note says how to load it in each shell"
        )
    if several and wishes.to is not None:
        raise UsageError("--to is of one recipient, and there are several", hint="list their keys in the inventory")

    from venue_access.tokens.encryption.encrypted import Sealing
    from venue_access.tokens.encryption.tokens import SealedTokens

    return SealedTokens(Sealing.of(wishes, venue, several=several, keys_folder=keys_folder))
