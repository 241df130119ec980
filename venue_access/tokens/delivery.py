"""Deliver tokens: print them, write them to files, or encrypt them (``encryption/``) into files."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from venue_access.aws.client import AssumedRole
from venue_access.errors import UsageError
from venue_access.files import check_creatable, check_takes_files, create_private, user_path
from venue_access.inventory.model import Recipient, Venue
from venue_access.tokens.issuer import Issued

Text = Callable[[AssumedRole], str]
"""Returns a token as text in a format, without a line break at its end."""


@dataclass(frozen=True)
class DeliveryOptions:
    """The delivery flags, as typed."""

    encrypt: bool = False
    recipient: str | None = None
    passphrase: bool = False
    out: str | None = None
    format: str = "json"


@dataclass(frozen=True)
class Delivery:
    """How something is delivered, for the ledger."""

    method: str
    """``printed``, ``file``, ``age``, ``age-passphrase``, ``smime``, ``console`` or ``exec``."""
    fingerprints: tuple[str, ...] = ()
    """Of the recipient keys."""


class DeliveryMethod(Protocol):
    """A way to deliver tokens; creating one and ``prepare`` find every problem that can be found before the issue."""

    def prepare(self, recipient: Recipient) -> Delivery:
        """Check that a token can be delivered to a recipient, and return how, for the ledger.

        :raises UsageError: it cannot.
        """

    def deliver(self, issued: Issued) -> str:
        """Deliver a token to a prepared recipient, and return what to print on standard output.

        :raises UsageError: the file cannot be written.
        """


@dataclass(frozen=True)
class OutputTarget:
    """Where files are created: in a folder, under a given name or one for each file."""

    folder: Path
    name: str | None = None

    @classmethod
    def of(cls, out: str | None, *, multiple: bool) -> OutputTarget:
        """Return the target of ``--out``; None is the current folder.

        :param multiple: whether several files are to be written.
        :raises UsageError: the file exists, cannot be created, is one for several tokens, or has an unprintable path.
        """
        if out == "":
            raise UsageError("--out is empty", hint="name a file that does not exist, or a folder")
        if out is not None and not out.isprintable():
            raise UsageError(
                f"--out {out!r} has a character that cannot be printed: the result is the file's path",
                hint="remove line breaks, control characters and direction marks",
            )
        path = user_path(out or "")
        if os.path.isdir(path):  # false, without an error, for a name that is too long
            check_takes_files(path)
            return cls(path)
        if multiple:
            raise UsageError(f"--out {out} is not a folder", hint="for several users name a folder that exists")
        check_creatable(path)
        return cls(path.parent, path.name)

    def write(self, default_name: str, content: bytes) -> Path:
        """Create a file with mode 0600, named ``default_name`` unless ``--out`` names one.

        :raises UsageError: it exists or cannot be written.
        """
        path = self.folder / (self.name or default_name)
        create_private(path, content)
        return path


@dataclass(frozen=True)
class Unencrypted:
    """Prints tokens to standard output, or writes them to files."""

    text: Text
    target: OutputTarget | None = None

    def prepare(self, recipient: Recipient) -> Delivery:
        return Delivery("printed" if self.target is None else "file")

    def deliver(self, issued: Issued) -> str:
        text = self.text(issued.token)
        if self.target is None:
            return text
        return str(self.target.write(f"{issued.role_session_name}.json", f"{text}\n".encode()))


def delivery_method(
    options: DeliveryOptions, venue: Venue, *, multiple: bool, text: Text, keys_folder: Path
) -> DeliveryMethod:
    """Return the delivery method that the flags choose.

    :param multiple: whether there are several users.
    :param text: the format of an unencrypted token.
    :param keys_folder: the inventory's folder; key files that it names are relative to this.
    :raises UsageError: the flags contradict each other, or the output cannot be written.
    """
    if not options.encrypt:
        for flag, given in (("--recipient", options.recipient is not None), ("--passphrase", options.passphrase)):
            if given:
                raise UsageError(f"{flag} requires --encrypt", hint="add --encrypt")
        return Unencrypted(text, None if options.out is None else OutputTarget.of(options.out, multiple=multiple))
    if options.format != "json":
        raise UsageError(
            f"--encrypt and --format {options.format} exclude each other: an encrypted bundle contains AWS's JSON",
            hint="the instructions in the bundle show how to load it in each shell",
        )
    if multiple and options.recipient is not None:
        raise UsageError(
            "--recipient is for one user, and --user names several", hint="list their keys in the inventory"
        )

    from venue_access.tokens.encryption.delivery import Encrypted

    return Encrypted.of(options, venue, multiple=multiple, keys_folder=keys_folder)
