"""Hands a venue's external ID to a requester, encrypted, so that they can supply it with their requests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from venue_access.aws.client import AwsClient
from venue_access.errors import DeliveryError, UsageError
from venue_access.inventory.model import Recipient, Venue
from venue_access.sensitive import ExternalId
from venue_access.tokens.delivery import Delivery
from venue_access.tokens.encryption.bundle import Bundle
from venue_access.tokens.encryption.encrypted import Encryption
from venue_access.tokens.encryption.instructions import external_id_instructions
from venue_access.tokens.external_id_store import read_stored_id


@dataclass(frozen=True)
class HandedOut:
    """An external ID that was handed out; what the ledger keeps of it, which is never the ID."""

    venue: Venue
    recipient: Recipient
    when: datetime
    """UTC."""
    parameter_version: int
    """Of the SSM parameter: a later one holds another ID."""
    delivery: Delivery
    path: Path


def hand_out(aws: AwsClient, recipient: Recipient, encryption: Encryption) -> HandedOut:
    """Encrypt the external ID of ``encryption``'s venue to a prepared recipient, and write the file.

    :raises UsageError: the venue is not provisioned.
    :raises DeliveryError: it cannot be written.
    """
    venue, when = encryption.venue, encryption.now()
    stored = read_stored_id(aws, venue, may_be_supplied=False)
    parcel = Bundle(
        name=f"{recipient.name}-{venue.name}-external-id-{when:%Y%m%dT%H%M%SZ}",
        subject=f"For your requests for access to {venue.name}",
        note=external_id_instructions(venue, recipient),
        file_name="external-id.txt",
        content=ExternalId(stored.value.reveal() + "\n"),
        made=when,
    )
    try:
        path = encryption.deliver(recipient, parcel)
    except UsageError as error:
        raise DeliveryError(f"the external ID was not handed over: {error.message}", hint=error.hint) from error
    return HandedOut(venue, recipient, when, stored.version, encryption.account(recipient), path)
