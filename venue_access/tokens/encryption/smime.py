"""Encrypt S/MIME messages (RFC 8551) with ``cryptography``, and check the recipient's certificate."""

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
from venue_access.times import to_minute
from venue_access.tokens.encryption.bundle import Bundle, Encryptor
from venue_access.tokens.encryption.keys import RecipientKey

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)
_MIN_RSA_BITS = 2048  # as for age
_KEY_AGREEMENT = ", which uses key agreement; the library cryptography does not support that for S/MIME"
_MAIL = {ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}


@dataclass(frozen=True)
class Certificate:
    """A recipient's X.509 certificate."""

    x509: x509.Certificate
    addresses: frozenset[str]
    """Its email addresses."""
    problem: str | None
    """Why nobody can encrypt to its key at any time; None if they can."""

    @property
    def fingerprint(self) -> str:
        """The fingerprint as ``openssl x509 -fingerprint -sha256`` prints it."""
        return self.x509.fingerprint(SHA256()).hex(":").upper()

    def check(self, email: str, now: datetime) -> None:
        """Check that a message to ``email`` may be encrypted to it now.

        Its issuer is not checked: the certificate is trusted as a bare key would be, because it was listed.

        :raises UsageError: it is expired, not yet valid, for another address, or not for encryption.
        """
        problem = self._problem_for(email, now)
        if problem is not None:
            name = self.x509.subject.rfc4514_string() or self.fingerprint
            raise UsageError(
                f"cannot encrypt to the certificate {name}: {problem}",
                hint="ask the recipient for their current certificate for encryption, or for an age or SSH key",
            )

    def _problem_for(self, email: str, now: datetime) -> str | None:
        begins, ends = self.x509.not_valid_before_utc, self.x509.not_valid_after_utc
        if now < begins:
            return f"it is not valid before {to_minute(begins)}"
        if now > ends:
            return f"it expired on {to_minute(ends)}"
        if email.casefold() not in {address.casefold() for address in self.addresses}:
            return f"it is not for {email} but for {', '.join(sorted(self.addresses)) or 'no email address'}"
        return self.problem


def read_certificate(content: bytes, source: str) -> Certificate:
    """Return the first certificate of a PEM text, or the one in a DER file.

    :param source: where it comes from, for messages.
    :raises UsageError: there is none, or it is malformed.
    """
    try:
        pem = b"-----BEGIN" in content
        found = x509.load_pem_x509_certificate(content) if pem else x509.load_der_x509_certificate(content)
        return Certificate(found, _addresses(found), _problem(found))
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise UsageError(
            f"{source} is not a valid X.509 certificate: {error}",
            hint="export the recipient's own certificate, as PEM or DER",
        ) from error


def _addresses(certificate: x509.Certificate) -> frozenset[str]:
    """Return the addresses of the alternative names, and of the subject, as in old certificates (RFC 8550, 3)."""
    found = {str(each.value) for each in certificate.subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS)}
    names = _extension(certificate, x509.SubjectAlternativeName)
    return frozenset(found | set(names.get_values_for_type(x509.RFC822Name) if names else ()))


def _problem(certificate: x509.Certificate) -> str | None:
    """Check a certificate's key by RFC 8550, 4.4.2 and 4.4.4; a missing extension allows it (RFC 5280, 4.2.1.3)."""
    usage = _extension(certificate, x509.KeyUsage)
    if certificate.public_key_algorithm_oid == PublicKeyAlgorithmOID.EC_PUBLIC_KEY:
        agrees = usage is None or usage.key_agreement
        return f"its key is on an elliptic curve{_KEY_AGREEMENT if agrees else ' and only signs'}"
    # A key for RSASSA-PSS is an RSA key too, but only signs.
    if certificate.public_key_algorithm_oid != PublicKeyAlgorithmOID.RSAES_PKCS1_v1_5:
        return "its key is not an RSA key for encryption"
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < _MIN_RSA_BITS:
        return f"its RSA key of {key.key_size} bits is too weak; the minimum is {_MIN_RSA_BITS}"
    if usage is not None and not usage.key_encipherment:
        return "its key usage does not include key encipherment: it is for signing"
    purposes = _extension(certificate, x509.ExtendedKeyUsage)
    if purposes is not None and not _MAIL & set(purposes):
        return "its extended key usage does not include email protection"
    return None


def encryptor_to_certificates(
    recipient: Recipient, keys: Sequence[RecipientKey], *, sender: str | None, now: datetime
) -> Encryptor:
    """Return the encryptor of a bundle to a mail message, which the key of any of a recipient's certificates decrypts.

    EnvelopedData with AES-256-CBC and RSA, which every mail program and ``openssl`` can read. The addresses and the
    subject are not encrypted; the body is the encrypted bundle alone.

    :raises UsageError: the recipient's email is not known, or a certificate cannot be encrypted to.
    """
    email = recipient.email or recipient.name
    if "@" not in email:
        raise UsageError(
            f"the email of {recipient.name} is not known, so their certificate cannot be checked",
            hint="add it to 'users:' in the inventory",
        )
    certificates = [read_certificate(key.content, key.source) for key in keys]
    for certificate in certificates:
        certificate.check(email, now)

    def encrypt(bundle: Bundle) -> bytes:
        builder = pkcs7.PKCS7EnvelopeBuilder().set_data(bundle.mime())
        builder = builder.set_content_encryption_algorithm(algorithms.AES256)
        for certificate in certificates:
            builder = builder.add_recipient(certificate.x509)
        message = EmailMessage(policy=SMTP)
        if sender is not None:
            message["From"] = sender
        message["To"] = email
        message["Subject"] = bundle.subject
        message["Date"] = format_datetime(bundle.created)
        message.set_content(
            builder.encrypt(Encoding.DER, [pkcs7.PKCS7Options.Binary]),  # its lines end in CRLF already
            maintype="application",
            subtype="pkcs7-mime",
            filename="smime.p7m",
            params={"smime-type": "enveloped-data", "name": "smime.p7m"},
        )
        return message.as_bytes()

    return Encryptor("smime", ".eml", encrypt, tuple(certificate.fingerprint for certificate in certificates))


def _extension(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
