"""Adapter to pyrage: encrypt to age and SSH public keys, or by a passphrase (https://age-encryption.org/v1)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyrage

from venue_access.errors import DeliveryError, UsageError
from venue_access.sensitive import Secret
from venue_access.tokens.encryption.bundle import Bundle, Encryptor

_CONSONANTS, _VOWELS = "bdfghjklmnprstvz", "aiou"


@dataclass(frozen=True)
class AgeKey:
    """A recipient key as ``age -r`` accepts it: ``age1...``, or an SSH key without its comment."""

    text: str
    fingerprint: str
    """An age key itself; for an SSH key what ``ssh-keygen -l`` shows."""


def read_key(line: str) -> AgeKey:
    """Return the recipient key on a line.

    :raises UsageError: age cannot encrypt to it.
    """
    text = " ".join(line.split()[:2])
    try:
        _recipient(text)
        return AgeKey(text, _fingerprint(text))
    except (pyrage.RecipientError, binascii.Error) as error:
        shown = text if len(text) <= 24 else f"{text[:24]}..."
        raise UsageError(
            f"cannot encrypt to the key {shown!r}: {_reason(text, str(error))}",
            hint="age encrypts to age1..., ssh-ed25519 and ssh-rsa (2048 bits or more) public keys",
        ) from error


def encryptor_to_keys(keys: Sequence[AgeKey]) -> Encryptor:
    """Return the encryptor of a tar archive to an age file, which any of the keys decrypts."""
    recipients = [_recipient(key.text) for key in keys]
    encrypt = _encryption(lambda content: pyrage.encrypt(content, recipients))
    return Encryptor("age", ".age", encrypt, tuple(key.fingerprint for key in keys))


def encryptor_by_passphrase(passphrase: Secret) -> Encryptor:
    """Return the encryptor by a passphrase; deriving the key from it (scrypt) takes a second or two by design."""
    encrypt = _encryption(lambda content: pyrage.passphrase.encrypt(content, passphrase.reveal()))
    return Encryptor("age-passphrase", ".age", encrypt, passphrase=passphrase)


def _encryption(by_pyrage: Callable[[bytes], bytes]) -> Callable[[Bundle], bytes]:
    def encrypt(bundle: Bundle) -> bytes:
        try:
            return bytes(by_pyrage(bundle.tar()))
        except pyrage.EncryptError as error:
            raise DeliveryError(f"age cannot encrypt the bundle: {error}") from error

    return encrypt


def generate_passphrase(random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> Secret:
    """Return 128 random bits as eight pronounceable words: ``lusab-babad-gutih-...`` (proquints, arXiv:0901.4016).

    That is the strength of age's own file key. The words contain neither digits nor capitals.
    """
    random = random_bytes(16)
    return Secret("-".join(_word(int.from_bytes(random[at : at + 2], "big")) for at in range(0, 16, 2)))


def _word(bits: int) -> str:
    """Return 16 bits as a word: four bits for each consonant, two for each vowel."""
    letters = ((12, _CONSONANTS), (10, _VOWELS), (6, _CONSONANTS), (4, _VOWELS), (0, _CONSONANTS))
    return "".join(alphabet[(bits >> shift) % len(alphabet)] for shift, alphabet in letters)


def _recipient(text: str) -> object:
    kind = pyrage.ssh if text.startswith("ssh-") else pyrage.x25519
    return kind.Recipient.from_str(text)


def _fingerprint(text: str) -> str:
    _, _, blob = text.partition(" ")
    if not blob:
        return text
    digest = hashlib.sha256(base64.b64decode(blob)).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def _reason(text: str, pyrage_message: str) -> str:
    kind = text.split()[0] if text.split() else ""
    if kind.startswith(("ecdsa-", "sk-", "ssh-dss")):
        return f"{kind} keys only sign"
    if "ModulusTooSmall" in pyrage_message:
        return "an RSA key of less than 2048 bits is too weak"
    if kind.startswith(("age1", "ssh-")):
        return "it is damaged, or its kind is not supported"
    return "it is not a public key"
