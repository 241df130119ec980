"""Whether a certificate may be encrypted to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.certificates import NOW, Card
from venue_access.errors import UsageError
from venue_access.inventory.model import Recipient
from venue_access.sensitive import Secret
from venue_access.tokens.encryption.bundle import Bundle, Encryptor
from venue_access.tokens.encryption.keys import RecipientKey
from venue_access.tokens.encryption.smime import encryptor_to_certificates, read_certificate

ALICE = Recipient("alice", email="Alice@Example.org")


def encrypt_to(content: bytes, recipient: Recipient = ALICE) -> Encryptor:
    return encryptor_to_certificates(recipient, [RecipientKey(content, "alice.pem", True)], sender=None, now=NOW)


@pytest.mark.parametrize(
    "card",
    [
        {},
        {"in_subject": True},
        {"usage": None, "purposes": ()},  # what is absent restricts nothing
        {"purposes": (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)},
        {"begins": timedelta(0)},
    ],
)
def test_certificate_for_encryption_is_accepted(card: dict[str, Any]) -> None:
    made = Card(**card)
    assert encrypt_to(made.pem.encode()).fingerprints == encrypt_to(made.der).fingerprints


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        ({"ends": timedelta(hours=-1)}, "it expired on "),
        ({"begins": timedelta(hours=1)}, "it is not valid before "),
        ({"email": "mallory@example.org"}, "it is not for Alice@Example.org but for mallory@example.org"),
        ({"email": "alice@example.org.evil.com"}, "it is not for "),
        ({"email": None}, "it is not for Alice@Example.org but for no email address"),
        ({"usage": ("digital_signature",)}, "its key usage does not include key encipherment: it is for signing"),
        ({"purposes": (ExtendedKeyUsageOID.CLIENT_AUTH,)}, "its extended key usage does not include email protection"),
        ({"bits": 1024}, "its RSA key of 1024 bits is too weak; the minimum is 2048"),
        ({"curve": True, "usage": ("key_agreement",)}, "its key is on an elliptic curve, which uses key agreement"),
        ({"curve": True, "usage": ("digital_signature",)}, "its key is on an elliptic curve and only signs"),
    ],
)
def test_other_certificate_is_refused_with_the_reason(card: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError) as refused:
        encrypt_to(Card(**card).pem.encode())
    assert f"cannot encrypt to the certificate CN=Alice Example: {reason}" in refused.value.message.replace(
        "1.2.840.113549.1.9.1=alice@example.org,", ""
    )


def test_certificate_without_the_recipients_email_is_refused() -> None:
    with pytest.raises(UsageError, match="the email of bob is not known"):
        encrypt_to(Card().der, Recipient("bob"))
    bundle = Bundle("name", "subject", "instructions", "token.json", Secret("{}"), NOW)
    assert b"To: alice@example.org\r\n" in encrypt_to(Card().der, Recipient("alice@example.org")).encrypt(bundle)


@pytest.mark.parametrize(
    "content", [b"0\x03abc", b"-----BEGIN CERTIFICATE-----\nMIIx\n-----END CERTIFICATE-----\n", b"-----BEGIN PGP"]
)
def test_malformed_certificate_is_refused(content: bytes) -> None:
    with pytest.raises(UsageError, match=r"alice\.pem is not a valid X\.509 certificate"):
        read_certificate(content, "alice.pem")
