"""X.509 certificates as cards and laboratories issue them, and as they should not be."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

NOW = datetime.now(timezone.utc)
_USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


class Card:
    """A private key and its certificate: for mail to alice, today, unless said otherwise."""

    def __init__(
        self,
        email: str | None = "alice@example.org",
        *,
        begins: timedelta = timedelta(days=-1),
        ends: timedelta = timedelta(days=1),
        usage: Sequence[str] | None = ("key_encipherment",),
        purposes: Sequence[ObjectIdentifier] = (ExtendedKeyUsageOID.EMAIL_PROTECTION,),
        bits: int = 2048,
        curve: bool = False,
        in_subject: bool = False,
    ) -> None:
        self.key: Any = ec.generate_private_key(ec.SECP256R1()) if curve else rsa.generate_private_key(65537, bits)
        name = [x509.NameAttribute(NameOID.COMMON_NAME, "Alice Example")]
        if in_subject and email:
            name.append(x509.NameAttribute(NameOID.EMAIL_ADDRESS, email))
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name(name))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A laboratory's CA")]))
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW + begins)
            .not_valid_after(NOW + ends)
        )
        if email and not in_subject:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.RFC822Name(email)]), critical=False)
        if usage is not None:
            builder = builder.add_extension(x509.KeyUsage(**{each: each in usage for each in _USAGES}), critical=True)
        if purposes:
            builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        self.certificate = builder.sign(self.key, hashes.SHA256())

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def save(self, folder: Path, name: str = "alice") -> tuple[Path, Path]:
        """The files of the certificate and of the key, as PEM."""
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        certificate.write_text(self.pem)
        form, no_password = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        key.write_bytes(self.key.private_bytes(serialization.Encoding.PEM, form, no_password))
        return certificate, key
