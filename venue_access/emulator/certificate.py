"""The TLS certificate of the AWS emulator, signed by a CA whose key is not stored."""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta, timezone
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from venue_access.files import write_private

VALIDITY = timedelta(days=825)
"""The longest that Apple's TLS accepts of a private CA; ``server.CERTIFICATE_RENEWED_AFTER`` follows from it."""
RENEWAL = timedelta(days=30)
"""The time before its end at which a certificate is renewed."""


def is_valid(ca_file: Path, server_file: Path, *, host: str, now: datetime) -> bool:
    """Return whether the files hold a CA, and a certificate of it with its key that need not be renewed yet."""
    try:
        ca = x509.load_pem_x509_certificate(ca_file.read_bytes())
        pem = server_file.read_bytes()
        server, key = x509.load_pem_x509_certificate(pem), serialization.load_pem_private_key(pem, password=None)
        server.verify_directly_issued_by(ca)
        names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.ExtensionNotFound):
        return False
    is_current = server.not_valid_before_utc <= now < server.not_valid_after_utc - RENEWAL
    is_for_host = ipaddress.ip_address(host) in names.get_values_for_type(x509.IPAddress)
    return is_current and is_for_host and key.public_key() == server.public_key()


def write_certificate(ca_file: Path, server_file: Path, *, host: str, now: datetime | None = None) -> None:
    """Write the CA's certificate, and the server's certificate with its key, as PEM, mode 0600.

    The CA is valid until the year 3000, which ``trustme`` fixes: its key is in no file, so it signs nothing else.
    """
    now = now or datetime.now(timezone.utc)
    ca = trustme.CA(organization_name="venue-access", organization_unit_name="AWS emulator", path_length=0)
    server = ca.issue_cert(
        "localhost",
        "*.localhost",
        host,
        common_name=host,
        not_before=now - timedelta(hours=1),  # the clock of a virtual machine may be behind
        not_after=now + VALIDITY,
    )
    write_private(ca_file, ca.cert_pem.bytes().decode())
    blobs = [*server.cert_chain_pems, server.private_key_pem]
    write_private(server_file, b"".join(blob.bytes() for blob in blobs).decode())
