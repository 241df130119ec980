"""How tokens reach whoever they are for: printed, written to a file, or encrypted (``encrypt/``) and written."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from venue_access.aws.client import AssumedRole
from venue_access.errors import UsageError
from venue_access.files import check_creatable, check_takes_files, create_private, user_path
from venue_access.inventory.model import Recipient
from venue_access.tokens.issue import Issued

Text = Callable[[AssumedRole], str]
"""A format: a token as text, without a line's end."""


@dataclass(frozen=True)
class Delivery:
    """How something was handed over, as the ledger keeps it."""

    way: str
    """``printed``, ``file``, ``age``, ``age-passphrase``, ``smime`` or ``console``."""
    fingerprints: tuple[str, ...] = ()
    """Of the keys that it was encrypted to."""


class DeliveryMethod(Protocol):
    """A way of handing tokens over. Making one, and ``prepare``, refuse whatever can be refused before a token is."""

    def prepare(self, recipient: Recipient) -> None:
        """See that a token for ``recipient`` could be handed over.

        :raises UsageError: it could not.
        """

    def account(self, recipient: Recipient) -> Delivery:
        """How a token for somebody prepared is handed over, for the ledger."""

    def deliver(self, issued: Issued) -> str:
        """Hand a token over, and return what is to be printed.

        :raises UsageError: it cannot be written.
        """


@dataclass(frozen=True)
class OutputTarget:
    """Where files are made: in a folder under names of their own, or one under a given name."""

    folder: Path
    name: str | None = None

    @classmethod
    def of(cls, out: str | None, *, several: bool) -> OutputTarget:
        """What ``--out`` says; None is the folder one stands in.

        :raises UsageError: something stands there, no file can be made there, its path cannot be printed, or
            ``several`` are to be.
        """
        if out == "":
            raise UsageError("--out is empty", hint="name a file that does not exist, or a folder")
        if out is not None and not out.isprintable():
            raise UsageError(
                f"--out {out!r} has a character that cannot be printed: the result is the file's path",
                hint="leave out line breaks, control characters and direction marks",
            )
        path = user_path(out or "")
        if os.path.isdir(path):  # which is false of a name that is too long
            check_takes_files(path)
            return cls(path)
        if several:
            raise UsageError(f"--out {out} is no folder", hint="for several users give a folder that exists")
        check_creatable(path)
        return cls(path.parent, path.name)

    def write(self, own_name: str, content: bytes) -> Path:
        """Write a file, under ``own_name`` where none was given; mode 0600, and nothing is overwritten.

        :raises UsageError: it cannot be written.
        """
        path = self.folder / (self.name or own_name)
        create_private(path, content)
        return path


@dataclass(frozen=True)
class Printed:
    """Tokens are printed to standard output."""

    text: Text

    def prepare(self, recipient: Recipient) -> None:
        """Everybody's can be."""

    def account(self, recipient: Recipient) -> Delivery:
        return Delivery("printed")

    def deliver(self, issued: Issued) -> str:
        return self.text(issued.token)


@dataclass(frozen=True)
class Written:
    """Tokens are written to files, in the clear."""

    text: Text
    place: OutputTarget
    ending: str = ".json"

    def prepare(self, recipient: Recipient) -> None:
        """Everybody's can be."""

    def account(self, recipient: Recipient) -> Delivery:
        return Delivery("file")

    def deliver(self, issued: Issued) -> str:
        content = self.text(issued.token) + "\n"
        return str(self.place.write(issued.role_session_name + self.ending, content.encode()))


@dataclass(frozen=True)
class DeliveryOptions:
    """The flags of a delivery, as they were typed."""

    encrypt: bool = False
    recipient: str | None = None
    passphrase: bool = False
    out: str | None = None
    format: str = "json"
