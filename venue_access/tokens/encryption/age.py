"""The one door to pyrage: encryption to age and SSH public keys, or by a passphrase (https://age-encryption.org/v1)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pyrage

from venue_access.errors import DeliveryError, UsageError
from venue_access.sensitive import Secret
from venue_access.tokens.encryption.bundle import Bundle

SSH_KINDS = ("ssh-ed25519", "ssh-rsa")
"""The SSH keys that age encrypts to; ECDSA and hardware-backed (``sk-``) ones only sign."""


@dataclass(frozen=True)
class AgeKey:
    """A public key as ``age -r`` takes it: ``age1...``, or an SSH key without its comment."""

    text: str
    fingerprint: str
    """What tells it from others: an age key is its own; an SSH key's is what ``ssh-keygen -l`` shows."""


def read_key(line: str) -> AgeKey:
    """The public key of a line.

    :raises UsageError: it is none that age encrypts to; says which are.
    """
    text = " ".join(line.split()[:2])
    try:
        _recipient(text)
        return AgeKey(text, _fingerprint(text))
    except (pyrage.RecipientError, binascii.Error) as error:
        raise UsageError(
            f"the key {_begin(text)!r} cannot be encrypted to: {_reason(text, str(error))}",
            hint="age encrypts to age1..., ssh-ed25519 and ssh-rsa (2048 bits or more) public keys",
        ) from error


@dataclass(frozen=True)
class AgeEncryption:
    """Encrypts to the holders of any of these keys: an age file of a tar archive."""

    keys: Sequence[AgeKey]
    way: str = "age"
    ending: str = ".age"
    passphrase: Secret | None = None

    @property
    def fingerprints(self) -> tuple[str, ...]:
        return tuple(key.fingerprint for key in self.keys)

    def encrypt(self, parcel: Bundle) -> bytes:
        """The age file.

        :raises DeliveryError: it cannot be encrypted.
        """
        with _faults():
            return bytes(pyrage.encrypt(parcel.tar(), [_recipient(key.text) for key in self.keys]))


@dataclass(frozen=True)
class PassphraseEncryption:
    """Encrypts by a passphrase; the derivation of the key from it (scrypt) takes a second or two on purpose."""

    passphrase: Secret
    way: str = "age-passphrase"
    ending: str = ".age"
    fingerprints: tuple[str, ...] = ()

    def encrypt(self, parcel: Bundle) -> bytes:
        """The age file.

        :raises DeliveryError: it cannot be encrypted.
        """
        with _faults():
            return bytes(pyrage.passphrase.encrypt(parcel.tar(), self.passphrase.reveal()))


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except pyrage.EncryptError as error:
        raise DeliveryError(f"age cannot encrypt this: {error}") from error


def _recipient(text: str) -> object:
    kind = pyrage.ssh if text.startswith("ssh-") else pyrage.x25519
    return kind.Recipient.from_str(text)


def _fingerprint(text: str) -> str:
    _, _, blob = text.partition(" ")
    if not blob:
        return text
    digest = hashlib.sha256(base64.b64decode(blob)).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def _begin(text: str) -> str:
    return text if len(text) <= 24 else f"{text[:24]}..."


def _reason(text: str, said: str) -> str:
    kind = text.split()[0] if text.split() else ""
    if kind.startswith(("ecdsa-", "sk-", "ssh-dss")):
        return f"{kind} keys only sign"
    if "ModulusTooSmall" in said:
        return "an RSA key of less than 2048 bits is too weak"
    if kind.startswith(("age1", "ssh-")):
        return "it is damaged, or of a kind that is not supported"
    return "it is no public key"
