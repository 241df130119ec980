"""Sensitive values: redacted when printed or formatted, and not picklable."""

from __future__ import annotations

import hmac
import re
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
