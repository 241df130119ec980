"""Sensitive values: redacted when printed or formatted, and not picklable."""

from __future__ import annotations

import hmac
import os
import re
import resource
import sys
from collections.abc import Iterable
from typing import ClassVar, NoReturn
from urllib.parse import unquote

REDACTED = "****"
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)
_GENERATED = re.compile(r"va\.[\w-]{40}", re.ASCII | re.IGNORECASE)  # an external ID that the kit generated
_LONG = 8
"""A sensitive value of this many characters is redacted anywhere in a text; a shorter one only as a whole word."""

_held: dict[str, str] = {}
"""Every sensitive text of this process, with its lower-case form."""


class SensitiveStr:
    """A credential or an external ID; only ``reveal()`` returns its text."""

    __slots__ = ("_text",)
    shortest: ClassVar[int] = 2
    """The length of the shortest possible value of this kind; ``redact_all`` ignores shorter ones."""

    def __init__(self, text: str) -> None:
        self._text = text
        if len(text) >= self.shortest and text != REDACTED:
            _held[text] = text.lower()

    def reveal(self) -> str:
        """Return the text, for the call or file that needs it."""
        return self._text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({REDACTED})"

    def __str__(self) -> str:
        return REDACTED

    def __format__(self, spec: str) -> str:
        return format(REDACTED, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SensitiveStr):
            return NotImplemented
        # An encoding error would quote the text: a command line may contain half of a surrogate pair.
        mine, theirs = (each._text.encode(errors="surrogatepass") for each in (self, other))
        return hmac.compare_digest(mine, theirs)

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"cannot pickle a {type(self).__name__}")


class ExternalId(SensitiveStr):
    """An external ID: confidential rather than secret, and never printed."""

    __slots__ = ()

    @property
    def fits(self) -> bool:
        """Return whether AWS accepts it (AWS STS API reference, AssumeRole, ExternalId)."""
        return _EXTERNAL_ID.fullmatch(self._text) is not None


class Secret(SensitiveStr):
    """A secret access key, session token or MFA code."""

    __slots__ = ()
    shortest = 6  # an MFA code; the emulator's root user has a public secret of four letters


def redact(text: str, *hidden: SensitiveStr | None) -> str:
    """Return ``text`` with the hidden values redacted: AWS and Terraform quote invalid input."""
    # The longest first: one value may be a prefix of another.
    for value in sorted({each.reveal() for each in hidden if each is not None}, key=len, reverse=True):
        if value:
            text = text.replace(value, REDACTED)
    return text


def redact_all(text: str) -> str:
    """Return a text that an operator typed with every sensitive value of this process redacted.

    A value of 8 characters or more is redacted anywhere, in upper or lower case; a shorter one only as a whole word,
    since an external ID such as ``ab`` occurs in many words. External IDs of the generated form are always redacted.
    If the text contains a URL-encoded value, it is decoded first.
    """
    decoded = unquote(text)
    redacted = _redact(decoded)
    return redacted if redacted != decoded else _redact(text)


def _redact(text: str) -> str:
    lower = text.lower()
    text = _GENERATED.sub(REDACTED, text)
    # The longest first: one value may be a prefix of another.
    for value in sorted((value for value, folded in list(_held.items()) if folded in lower), key=len, reverse=True):
        if len(value) >= _LONG:
            text = re.sub(re.escape(value), REDACTED, text, flags=re.IGNORECASE)
        else:
            text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", REDACTED, text)
    return text


def harden_process() -> None:
    """Disable core dumps and TLS key logs, for child processes too, and reserve the descriptors 0, 1 and 2.

    If standard output is closed when a process starts, the next file that it opens gets descriptor 1. So the
    descriptor is opened here, read-only: printing fails as it does on a closed stream.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ.pop("SSLKEYLOGFILE", None)  # that file would allow decrypting tokens in transit
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDONLY), True)  # gets the lowest free number: this one
    if sys.stdout is None:  # Invoke prints without console.py, and ignores a missing stream
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)


def silence_libraries() -> None:
    """Discard every log record of this process, of any logger, level and handler.

    botocore and urllib3 log whole requests and responses. The kit itself logs nothing, and libraries report errors as
    exceptions.
    """
    import logging

    logging.disable(logging.CRITICAL)


def redact_debug_log(logger: str, flags: Iterable[str], arguments: Iterable[str]) -> None:
    """Redact the values of ``flags``, and every generated external ID, in a logger's records.

    :param flags: the flags whose values are confidential, or may quote something confidential.
    :param arguments: the command line.
    """
    import logging

    names, values, words = {f"--{flag}" for flag in flags}, set[str](), list(arguments)
    for word, following in zip(words, [*words[1:], ""], strict=True):
        name, separator, value = word.partition("=")
        if name in names:
            given = value if separator else following
            if given not in ("", "-"):  # standard input
                values |= {given, repr(given)[1:-1]}

    def redact_record(record: logging.LogRecord) -> bool:
        text = record.getMessage()
        for value in sorted(values, key=len, reverse=True):  # one may be a prefix of another
            text = text.replace(value, REDACTED)
        record.msg, record.args = redact_all(text), ()
        return True

    logging.getLogger(logger).addFilter(redact_record)
