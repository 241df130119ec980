"""Values that are kept from eyes: they print, format and pickle as a mask."""

from __future__ import annotations

import hmac
import re
from typing import ClassVar, NoReturn
from urllib.parse import unquote

REDACTED = "****"
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)
_OF_THE_KIT = re.compile(r"va\.[\w-]{40}", re.ASCII | re.IGNORECASE)  # an external ID that a rotation made
_LONG = 8
"""Characters from which on a sensitive value is redacted anywhere in a text; a shorter one only as a whole word."""

_held: dict[str, str] = {}
"""Every sensitive text that this process has held, and the same in lower case."""


class SensitiveStr:
    """A credential or an external ID; ``reveal()`` is the only way to its text."""

    __slots__ = ("_text",)
    shortest: ClassVar[int] = 2
    """Characters of the shortest text that can be a value of this kind: ``redact`` leaves a shorter one."""

    def __init__(self, text: str) -> None:
        self._text = text
        if len(text) >= self.shortest and text != REDACTED:
            _held[text] = text.lower()

    def reveal(self) -> str:
        """The text itself, for the one call or file that needs it."""
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
        # An error of encoding would quote the text: half of a surrogate pair comes from an odd command line.
        mine, theirs = (each._text.encode(errors="surrogatepass") for each in (self, other))
        return hmac.compare_digest(mine, theirs)

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} is not to be pickled")


class ExternalId(SensitiveStr):
    """An external ID: confidential rather than secret, and never printed."""

    __slots__ = ()

    @property
    def fits(self) -> bool:
        """Whether AWS takes it (AWS STS API reference, AssumeRole, ExternalId)."""
        return _EXTERNAL_ID.fullmatch(self._text) is not None


class Secret(SensitiveStr):
    """A secret access key, session token or MFA code."""

    __slots__ = ()
    shortest = 6  # an MFA code; the emulator's root has a secret of four letters that everybody knows


def redact(text: str, *hidden: SensitiveStr | None) -> str:
    """``text`` with every hidden value masked: AWS and Terraform quote what they refuse."""
    # The longest first: one value may be the beginning of another.
    for value in sorted({each.reveal() for each in hidden if each is not None}, key=len, reverse=True):
        if value:
            text = text.replace(value, REDACTED)
    return text


def redact_all(text: str) -> str:
    """Return ``text`` without any sensitive value that this process has held, for what a person wrote.

    A value of 8 characters or more is found anywhere, in any case; a shorter one only as a whole word, or an external
    ID such as ``ab`` would be cut out of every other word. External IDs of the form that a rotation makes are redacted
    whether or not the process has held them. Where a value is there URL-encoded, the text is decoded first.
    """
    decoded = unquote(text)
    redacted = _redact(decoded)
    return redacted if redacted != decoded else _redact(text)


def _redact(text: str) -> str:
    lower = text.lower()
    text = _OF_THE_KIT.sub(REDACTED, text)
    # The longest first: one value may be the beginning of another.
    for value in sorted((value for value, folded in list(_held.items()) if folded in lower), key=len, reverse=True):
        if len(value) >= _LONG:
            text = re.sub(re.escape(value), REDACTED, text, flags=re.IGNORECASE)
        else:
            text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", REDACTED, text)
    return text
