"""Finds the public keys to encrypt to: those of the inventory or of ``--recipient``, as texts or in files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from venue_access.errors import UsageError
from venue_access.files import read_small
from venue_access.inventory.model import Recipient
from venue_access.inventory.validators import has_private_key

_PEM = "-----BEGIN"
_LINES = ("age1", "ssh-", "ecdsa-", "sk-")
"""What begins a key that is a line: those of age, and those of SSH that it has to refuse with their reason."""
_LONGEST_NAME = 1024
_WANTED = "give the recipient's public key (age1..., ssh-ed25519, ssh-rsa) or a file of it, or of their certificate"


@dataclass(frozen=True)
class GivenKey:
    """A public key as it was found, not yet looked into."""

    content: bytes
    """A line for age, or a certificate as PEM or DER."""
    where: str
    is_certificate: bool = False


def given_keys(recipient: Recipient, to: str | None, *, folder: Path) -> tuple[GivenKey, ...]:
    """The keys to encrypt to, all for age or all certificates: those of ``to``, else those of the inventory.

    Of an inventory that has both for somebody, the kind that stands first is taken.

    :param to: ``--recipient``: texts of keys or names of files with them, by comma; relative to where one stands.
    :param folder: the inventory's, to which the files that it names are relative.
    :raises UsageError: there is none, or a file cannot be read, or holds a private key.
    """
    if to is None:
        found = [key for text in recipient.keys for key in _read(text, folder)]
        found = [key for key in found if key.is_certificate == found[0].is_certificate]
    else:
        found = [key for text in _parted(os.path.expanduser(to)) for key in _read(os.path.expanduser(text), Path())]
    if not found:
        raise UsageError(
            f"no key of {recipient.name} is known to encrypt to",
            hint="add it to 'users:' in the inventory, give it with --recipient, or say --passphrase",
        )
    if len({key.is_certificate for key in found}) > 1:
        raise UsageError(
            "--recipient has keys for age and certificates, which open no common file", hint="give one kind"
        )
    return tuple(found)


def _parted(to: str) -> Iterable[str]:
    """By comma; but an SSH key's comment and a file's name may hold one too."""
    if to.startswith(_PEM) or os.path.isfile(to):
        return [to]
    parts: list[str] = []
    for part in (each.strip() for each in to.split(",")):
        if parts and " " in parts[-1] and not part.startswith(_LINES) and not os.path.isfile(part):
            parts[-1] += f",{part}"
        else:
            parts.append(part)
    return parts


def _read(text: str, folder: Path) -> Iterator[GivenKey]:
    """The keys of a text: the key itself, or the name of a file with one or several."""
    if text.startswith(_PEM) or text.startswith(_LINES) or has_private_key(text):
        yield from _in(text.encode(), "the key given")
    elif text and len(text) <= _LONGEST_NAME:
        if folder != Path() and os.path.exists(folder / text) and not os.path.isfile(folder / text):
            raise UsageError(f"{str(folder / text)!r} is no file", hint=_WANTED)  # a pipe might be waited for
        yield from _in(read_small(folder / text, what="key", hint=_WANTED), str(folder / text))
    else:
        raise UsageError("an empty text is no key" if not text else f"{text[:24]!r}... is no key", hint=_WANTED)


def _in(content: bytes, where: str) -> Iterator[GivenKey]:
    """A certificate, or lines as ``age -R`` reads them, in which ``#`` begins a comment."""
    text = content.decode("utf-8", errors="replace")
    if has_private_key(text):
        raise UsageError(
            f"{where} holds a private key", hint="give the public one, and have the owner replace that pair"
        )
    if _PEM in text or content.startswith(b"\x30"):  # DER begins with a sequence
        yield GivenKey(content, where, is_certificate=True)
        return
    lines = [line.strip() for line in text.splitlines()]
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys:
        raise UsageError(f"{where} holds no key", hint=_WANTED)
    yield from (GivenKey(line.encode(), where) for line in keys)
