"""Encrypt tokens and external IDs to their recipients, and write the files."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from venue_access import console
from venue_access.aws.client import AwsClient
from venue_access.errors import DeliveryError, UsageError, VenueAccessError
from venue_access.inventory.model import Recipient, Venue
from venue_access.ledger.book import Ledger
from venue_access.ledger.chain import Kind
from venue_access.sensitive import ExternalId, Secret
from venue_access.tokens.delivery import Delivery, DeliveryOptions, OutputTarget
from venue_access.tokens.encryption.bundle import Bundle, Encryptor, external_id_instructions, token_instructions
from venue_access.tokens.encryption.keys import find_encryptor
from venue_access.tokens.formats import aws_json
from venue_access.tokens.issuer import Issued, read_stored_id


@dataclass(frozen=True)
class Encrypted:
    """The ``DeliveryMethod`` that encrypts bundles for a venue's recipients into files, and returns their paths.

    :ivar show: shows a passphrase to the operator, once.
    """

    venue: Venue
    target: OutputTarget
    keys_folder: Path
    recipient: str | None = None
    """``--recipient``."""
    by_passphrase: bool = False
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc)
    show: Callable[[str, Secret], None] = console.show_on_terminal
    _encryptors: dict[Recipient, Encryptor] = field(default_factory=dict)

    @classmethod
    def of(cls, options: DeliveryOptions, venue: Venue, *, multiple: bool, keys_folder: Path) -> Encrypted:
        """Return the delivery method that the flags choose.

        :raises UsageError: they contradict each other, the output cannot be written, or there is no terminal to show
            a passphrase on.
        """
        if options.passphrase:
            if options.recipient is not None:
                raise UsageError("--recipient and --passphrase exclude each other: either of them decrypts the file")
            console.check_terminal("a passphrase")
        target = OutputTarget.of(options.out, multiple=multiple)
        return cls(venue, target, keys_folder, options.recipient, options.passphrase)

    def prepare(self, recipient: Recipient) -> Delivery:
        """Find and check the keys of a recipient.

        :raises UsageError: there is no key, or one cannot be encrypted to.
        """
        if self.by_passphrase:
            from venue_access.tokens.encryption.age import encryptor_by_passphrase, generate_passphrase

            encryptor = encryptor_by_passphrase(generate_passphrase())
        else:
            encryptor = find_encryptor(
                recipient, self.recipient, folder=self.keys_folder, sender=self.venue.contact, now=self.now()
            )
        self._encryptors[recipient] = encryptor
        return Delivery(encryptor.method, encryptor.fingerprints)

    def deliver(self, issued: Issued) -> str:
        instructions = token_instructions(
            issued.venue,
            issued.recipient,
            session=issued.role_session_name,
            expires=issued.token.expiration,
            scope=issued.scope,
        )
        bundle = Bundle(
            name=issued.role_session_name,
            subject=f"Your access to {issued.venue.name}",
            instructions=instructions,
            file_name="token.json",
            content=Secret(json.dumps(aws_json(issued.token), indent=4) + "\n"),
            created=issued.issued,
        )
        return str(self.write(issued.recipient, bundle))

    def write(self, recipient: Recipient, bundle: Bundle) -> Path:
        """Encrypt a bundle to a prepared recipient, write it, show its passphrase if there is one; return the path.

        :raises UsageError: the file cannot be written.
        """
        encryptor = self._encryptors[recipient]
        path = self.target.write(bundle.name + encryptor.suffix, encryptor.encrypt(bundle))
        if encryptor.passphrase is not None:
            self.show(f"passphrase of {path}, for {recipient.name}", encryptor.passphrase)
        return path


def deliver_external_id(
    aws: AwsClient, ledger: Ledger, recipient: Recipient, method: Encrypted, delivery: Delivery
) -> Path:
    """Encrypt the venue's external ID to a prepared recipient, write it, record that, and return the path.

    :raises UsageError: the venue is not provisioned.
    :raises DeliveryError: the file cannot be written or the delivery cannot be recorded.
    """
    venue, created = method.venue, method.now()
    stored = read_stored_id(aws, venue, may_be_supplied=False)
    bundle = Bundle(
        name=f"{recipient.name}-{venue.name}-external-id-{created:%Y%m%dT%H%M%SZ}",
        subject=f"For your requests for access to {venue.name}",
        instructions=external_id_instructions(venue, recipient),
        file_name="external-id.txt",
        content=ExternalId(stored.value.reveal() + "\n"),
        created=created,
    )
    try:
        path = method.write(recipient, bundle)
    except UsageError as error:
        raise DeliveryError(f"the external ID was not delivered: {error.message}", hint=error.hint) from error
    try:
        ledger.record(
            Kind.EXTERNAL_ID,
            when=created,
            recipient=recipient.name,
            parameter_version=stored.version,  # a later version holds another ID
            delivery=delivery.method,
            key_fingerprints=delivery.fingerprints,
        )
    except VenueAccessError as error:
        raise DeliveryError(
            f"{path} was written, but could not be recorded in the ledger: {error.message}",
            hint="remove that file, repair the ledger, and run the command again",
        ) from error
    return path
