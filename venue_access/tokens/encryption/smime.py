"""S/MIME encryption (RFC 8551) with ``cryptography``: check a recipient's certificate, and encrypt to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, PublicKeyAlgorithmOID

from venue_access.errors import UsageError
from venue_access.inventory.model import Recipient
from venue_access.sensitive import Secret
from venue_access.times import to_minute
from venue_access.tokens.encryption.bundle import Bundle
from venue_access.tokens.encryption.keys import GivenKey

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)
_WEAKEST = 2048  # bits of an RSA key, as age has it
_UNSUPPORTED_CURVE = ", which agrees on a key instead of enciphering one; cryptography cannot do that for S/MIME"
_MAIL = {ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}


@dataclass(frozen=True)
class Certificate:
    """A recipient's X.509 certificate, and what it says."""

    x509: x509.Certificate
    addresses: frozenset[str]
    """The email addresses that it is for."""
    unfit: str | None
    """Why nothing can be encrypted to its key, whoever and whenever; None where nothing speaks against."""

    @property
    def fingerprint(self) -> str:
        """What ``openssl x509 -fingerprint -sha256`` shows."""
        return self.x509.fingerprint(SHA256()).hex(":").upper()

    def check(self, email: str, now: datetime) -> None:
        """See that a message to ``email`` may be encrypted to it now.

        Who signed it is not looked at: it is trusted as a bare key is, for having been given.

        :raises UsageError: expired, not yet valid, another's, or not for encrypting to; says which.
        """
        reason = self._against(email, now)
        if reason is not None:
            name = self.x509.subject.rfc4514_string() or self.fingerprint
            raise UsageError(
                f"the certificate {name} cannot be encrypted to: {reason}",
                hint="ask the recipient for their present certificate for encryption, or for an age or SSH key",
            )

    def _against(self, email: str, now: datetime) -> str | None:
        begins, ends = self.x509.not_valid_before_utc, self.x509.not_valid_after_utc
        if now < begins:
            return f"it is not valid before {to_minute(begins)}"
        if now > ends:
            return f"it expired on {to_minute(ends)}"
        if email.casefold() not in {address.casefold() for address in self.addresses}:
            return f"it is not for {email} but for {', '.join(sorted(self.addresses)) or 'no email address'}"
        return self.unfit


def read_certificate(content: bytes, where: str) -> Certificate:
    """The first certificate of a PEM text, or the one of a DER file; ``where`` says where it comes from.

    :raises UsageError: there is none, or it is malformed.
    """
    try:
        pem = b"-----BEGIN" in content
        found = x509.load_pem_x509_certificate(content) if pem else x509.load_der_x509_certificate(content)
        return Certificate(found, _addresses(found), _unfit(found))
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise UsageError(
            f"{where} is no X.509 certificate that can be read: {error}",
            hint="export the recipient's own certificate, as PEM or DER",
        ) from error


def _addresses(certificate: x509.Certificate) -> frozenset[str]:
    """Of the alternative names, and of the subject as old certificates have it (RFC 8550, 3)."""
    found = {str(each.value) for each in certificate.subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS)}
    names = _extension(certificate, x509.SubjectAlternativeName)
    return frozenset(found | set(names.get_values_for_type(x509.RFC822Name) if names else ()))


def _unfit(certificate: x509.Certificate) -> str | None:
    """RFC 8550, 4.4.2 and 4.4.4: an extension that is absent restricts nothing (RFC 5280, 4.2.1.3)."""
    usage = _extension(certificate, x509.KeyUsage)
    if certificate.public_key_algorithm_oid == PublicKeyAlgorithmOID.EC_PUBLIC_KEY:
        agrees = usage is None or usage.key_agreement
        return f"its key is on an elliptic curve{_UNSUPPORTED_CURVE if agrees else ' and only signs'}"
    # A key for RSASSA-PSS is an RSA key too, but only signs.
    if certificate.public_key_algorithm_oid != PublicKeyAlgorithmOID.RSAES_PKCS1_v1_5:
        return "its key is not an RSA key for encryption"
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < _WEAKEST:
        return f"its RSA key of {key.key_size} bits is too weak; {_WEAKEST} is the least"
    if usage is not None and not usage.key_encipherment:
        return "its key usage is without key encipherment: it is for signing"
    purposes = _extension(certificate, x509.ExtendedKeyUsage)
    if purposes is not None and not _MAIL & set(purposes):
        return "its extended key usage is without email protection"
    return None


@dataclass(frozen=True)
class SmimeEncryption:
    """Encrypts to the holders of any of these certificates' keys: a mail message, ready to be sent.

    EnvelopedData with AES-256-CBC and RSA, which every mail program and ``openssl`` open. The addresses and the subject
    are readable by everyone; the body is the encrypted parcel alone.
    """

    certificates: Sequence[Certificate]
    to: str
    """The recipient's email."""
    sender: str | None
    way: str = "smime"
    ending: str = ".eml"
    passphrase: Secret | None = None

    @classmethod
    def to_recipient(
        cls, recipient: Recipient, keys: Sequence[GivenKey], *, sender: str | None, now: datetime
    ) -> SmimeEncryption:
        """The encrypt to a recipient by the certificates that were given for them.

        :raises UsageError: the recipient's email is not known, or a certificate may not be encrypted to.
        """
        email = recipient.email or recipient.name
        if "@" not in email:
            raise UsageError(
                f"no email of {recipient.name} is known, so a certificate may be anybody's",
                hint="add it to 'users:' in the inventory",
            )
        certificates = [read_certificate(key.content, key.where) for key in keys]
        for certificate in certificates:
            certificate.check(email, now)
        return cls(certificates, email, sender)

    @property
    def fingerprints(self) -> tuple[str, ...]:
        return tuple(certificate.fingerprint for certificate in self.certificates)

    def encrypt(self, parcel: Bundle) -> bytes:
        """The message, as a mail program keeps it in a file."""
        builder = pkcs7.PKCS7EnvelopeBuilder().set_data(parcel.mime())
        builder = builder.set_content_encryption_algorithm(algorithms.AES256)
        for certificate in self.certificates:
            builder = builder.add_recipient(certificate.x509)
        message = EmailMessage(policy=SMTP)
        if self.sender is not None:
            message["From"] = self.sender
        message["To"] = self.to
        message["Subject"] = parcel.subject
        message["Date"] = format_datetime(parcel.made)
        message.set_content(
            builder.encrypt(Encoding.DER, [pkcs7.PKCS7Options.Binary]),  # its lines end as a mail's do already
            maintype="application",
            subtype="pkcs7-mime",
            filename="smime.p7m",
            params={"smime-type": "enveloped-data", "name": "smime.p7m"},
        )
        return message.as_bytes()


def _extension(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
