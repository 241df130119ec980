"""A TLS certificate for the AWS emulator, signed by a CA whose key is thrown away."""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from venue_access.files import write_private

VALIDITY = timedelta(days=825)  # the longest that Apple's TLS accepts of a private CA; aws_emulator.py counts on it


RENEWAL = timedelta(days=30)
"""How long before its end a certificate is renewed."""


def is_fit(ca_file: Path, server_file: Path, *, host: str, now: datetime) -> bool:
    """Return whether the files are a CA and a server's certificate of it, with its key, that last for a while."""
    try:
        ca = x509.load_pem_x509_certificate(ca_file.read_bytes())
        pem = server_file.read_bytes()
        server, key = x509.load_pem_x509_certificate(pem), serialization.load_pem_private_key(pem, password=None)
        server.verify_directly_issued_by(ca)
        names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.ExtensionNotFound):
        return False
    lasting = all(each.not_valid_before_utc <= now < each.not_valid_after_utc - RENEWAL for each in (ca, server))
    named = ipaddress.ip_address(host) in names.get_values_for_type(x509.IPAddress)
    return lasting and named and key.public_key() == server.public_key()


def write_certificate(ca_file: Path, server_file: Path, *, host: str, now: datetime | None = None) -> None:
    """Write the CA's certificate, and the server's certificate with its key, as PEM, mode 0600.

    A CA and a leaf rather than one self-signed certificate: Python 3.13 verifies strictly (RFC 5280).
    """
    now = now or datetime.now(timezone.utc)
    ca_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "venue-access AWS emulator")])
    names = [x509.DNSName("localhost"), x509.DNSName("*.localhost"), x509.IPAddress(ipaddress.ip_address(host))]

    def signed(builder: x509.CertificateBuilder) -> x509.Certificate:
        # An hour back: a virtual machine's clock may have run ahead of the one that reads this.
        dated = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + VALIDITY)
        key_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
        complete = dated.issuer_name(ca_name).serial_number(x509.random_serial_number()).add_extension(key_id, False)
        return complete.sign(ca_key, hashes.SHA256())

    ca = signed(
        x509.CertificateBuilder()
        .subject_name(ca_name)
        .public_key(ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
    )
    server = signed(
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]))
        .public_key(server_key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(server_key.public_key()), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    pem = serialization.Encoding.PEM
    key_text = server_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_private(ca_file, ca.public_bytes(pem).decode())
    write_private(server_file, (server.public_bytes(pem) + key_text).decode())


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
