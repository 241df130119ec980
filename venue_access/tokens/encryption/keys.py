"""Find the keys to encrypt to, in the inventory or in ``--recipient``, as text or in files, and check them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from venue_access.errors import Problem, UsageError
from venue_access.files import read_small
from venue_access.inventory.groups import Inventory, line_of
from venue_access.inventory.model import Recipient
from venue_access.inventory.validators import Context, InvalidValue, has_private_key
from venue_access.inventory.value_types import USERS
from venue_access.tokens.encryption.bundle import Encryptor

_PEM = "-----BEGIN"
_KEY_PREFIXES = ("age1", "ssh-", "ecdsa-", "sk-")
"""Of keys on one line: age's, and SSH's of every kind, so that an unsupported one is refused with the reason."""
_LONGEST_NAME = 1024
_HINT = "give the recipient's public key (age1..., ssh-ed25519, ssh-rsa), or a file with it or with their certificate"


@dataclass(frozen=True)
class RecipientKey:
    """A public key as found, not yet parsed."""

    content: bytes
    """A line for age, or a certificate as PEM or DER."""
    source: str
    is_certificate: bool = False


def find_keys(recipient: Recipient, given: str | None, *, folder: Path) -> tuple[RecipientKey, ...]:
    """Return the keys to encrypt to, all for age or all certificates: those of ``--recipient``, else the inventory's.

    If the inventory lists both kinds for a user, the kind that is listed first is used.

    :param given: ``--recipient``: keys or names of key files, separated by commas; relative to the current folder.
    :param folder: the inventory's folder; key files that it names are relative to this.
    :raises UsageError: there is no key, or a file cannot be read or contains a private key.
    """
    if given is None:
        found = [key for text in recipient.keys for key in _read(text, folder)]
        found = [key for key in found if key.is_certificate == found[0].is_certificate]
    else:
        found = [key for text in _split(os.path.expanduser(given)) for key in _read(os.path.expanduser(text), Path())]
    if not found:
        raise UsageError(
            f"no recipient key of {recipient.name} is known",
            hint="add one to 'users:' in the inventory, or pass --recipient or --passphrase",
        )
    if len({key.is_certificate for key in found}) > 1:
        raise UsageError(
            "--recipient has keys for age and certificates, which need different files", hint="give one kind"
        )
    return tuple(found)


def find_encryptor(
    recipient: Recipient, given: str | None, *, folder: Path, now: datetime, sender: str | None = None
) -> Encryptor:
    """Return the encryptor to a recipient's keys; it imports the package for their kind only.

    :param given: as for ``find_keys``, and so is ``folder``.
    :param sender: the email address that an S/MIME message is from.
    :raises UsageError: there is no key, or one cannot be encrypted to.
    """
    keys = find_keys(recipient, given, folder=folder)
    if keys[0].is_certificate:
        from venue_access.tokens.encryption.smime import encryptor_to_certificates

        return encryptor_to_certificates(recipient, keys, sender=sender, now=now)
    from venue_access.tokens.encryption.age import encryptor_to_keys, read_key

    return encryptor_to_keys([read_key(key.content.decode()) for key in keys])


def key_problems(inventory: Inventory, folder: Path, now: datetime) -> list[Problem]:
    """Return a problem for each key that is missing, damaged, private, expired or another person's.

    Venues that are wrong otherwise are checked too, but not a ``users`` that is wrong itself.

    :param folder: the files of keys are relative to it.
    """
    problems: dict[tuple[object, ...], Problem] = {}
    seen: set[int] = set()
    for host in inventory.hosts:
        setting = inventory.settings(host).get("users")
        if setting is None or id(setting) in seen:
            continue
        seen.add(id(setting))
        try:
            users = USERS.read(setting.value or {}, Context(hosts=inventory.entries))
        except InvalidValue:
            continue
        for recipient in users.values():
            written = setting.value[recipient.name]
            line = line_of(written, "keys") if recipient.keys else None
            for key in recipient.keys:
                try:
                    find_encryptor(replace(recipient, keys=(key,)), None, folder=folder, now=now)
                except UsageError as error:
                    message = f"{recipient.name}: keys: {error.message}"
                    problem = Problem(message, setting.file, host, "users", line or setting.line)
                    problems.setdefault((message, setting.file, problem.line), problem)
    return list(problems.values())


def _split(given: str) -> list[str]:
    """Split at commas, except those in an SSH key's comment or in a file's name."""
    if given.startswith(_PEM) or os.path.isfile(given):
        return [given]
    parts: list[str] = []
    for part in (each.strip() for each in given.split(",")):
        if parts and " " in parts[-1] and not part.startswith(_KEY_PREFIXES) and not os.path.isfile(part):
            parts[-1] += f",{part}"
        else:
            parts.append(part)
    return parts


def _read(text: str, folder: Path) -> Iterator[RecipientKey]:
    """Yield the keys of a text, which is a key or the name of a file with keys."""
    if text.startswith((_PEM, *_KEY_PREFIXES)) or has_private_key(text):
        yield from _parse(text.encode(), "the key given")
    elif text and len(text) <= _LONGEST_NAME:
        if folder != Path() and os.path.exists(folder / text) and not os.path.isfile(folder / text):
            raise UsageError(f"{str(folder / text)!r} is not a file", hint=_HINT)  # opening a pipe could block
        yield from _parse(read_small(folder / text, what="key", hint=_HINT), str(folder / text))
    else:
        raise UsageError("the recipient key is empty" if not text else f"{text[:24]!r}... is not a key", hint=_HINT)


def _parse(content: bytes, source: str) -> Iterator[RecipientKey]:
    """Yield a certificate, or the keys of lines in the format of ``age -R``, in which ``#`` begins a comment."""
    text = content.decode("utf-8", errors="replace")
    if has_private_key(text):
        raise UsageError(
            f"{source} contains a private key", hint="give the public key, and have the owner replace the key pair"
        )
    if _PEM in text or content.startswith(b"\x30"):  # DER begins with a sequence
        yield RecipientKey(content, source, is_certificate=True)
        return
    lines = [line.strip() for line in text.splitlines()]
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys:
        raise UsageError(f"{source} contains no key", hint=_HINT)
    yield from (RecipientKey(line.encode(), source) for line in keys)
