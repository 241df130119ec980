"""Tokens as encrypted parcels."""

from __future__ import annotations

import json
from dataclasses import dataclass

from venue_access.inventory.model import Recipient
from venue_access.sensitive import Secret
from venue_access.tokens.delivery import Delivery
from venue_access.tokens.encryption.bundle import Bundle
from venue_access.tokens.encryption.encrypted import Encryption
from venue_access.tokens.encryption.instructions import token_instructions
from venue_access.tokens.formats import aws_json
from venue_access.tokens.issue import Issued


@dataclass(frozen=True)
class EncryptedTokens:
    """The ``DeliveryMethod`` of tokens that are encrypted: what is printed is the path of each file."""

    encryption: Encryption

    def prepare(self, recipient: Recipient) -> None:
        self.encryption.prepare(recipient)

    def account(self, recipient: Recipient) -> Delivery:
        return self.encryption.account(recipient)

    def deliver(self, issued: Issued) -> str:
        return str(self.encryption.deliver(issued.recipient, _parcel(issued)))


def _parcel(issued: Issued) -> Bundle:
    """The AWS JSON with its note, whatever format was asked for: the note tells how to load that one."""
    note = token_instructions(
        issued.venue,
        issued.recipient,
        session=issued.role_session_name,
        expires=issued.token.expiration,
        scope=issued.scope,
    )
    return Bundle(
        name=issued.role_session_name,
        subject=f"Your access to {issued.venue.name}",
        note=note,
        file_name="token.json",
        content=Secret(json.dumps(aws_json(issued.token), indent=4) + "\n"),
        made=issued.issued,
    )
