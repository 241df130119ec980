"""Values that are kept from eyes: they print, format and pickle as a mask."""

from __future__ import annotations

import hmac
import re
from typing import NoReturn

MASK = "****"
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)


class Masked:
    """A credential or an external ID; ``reveal()`` is the only way to its text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one call or file that needs it."""
        return self._text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Masked):
            return NotImplemented
        # An error of encoding would quote the text: half of a surrogate pair comes from an odd command line.
        mine, theirs = (each._text.encode(errors="surrogatepass") for each in (self, other))
        return hmac.compare_digest(mine, theirs)

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} is not to be pickled")


class ExternalId(Masked):
    """An external ID: confidential rather than secret, and never printed."""

    __slots__ = ()

    @property
    def fits(self) -> bool:
        """Whether AWS takes it (AWS STS API reference, AssumeRole, ExternalId)."""
        return _EXTERNAL_ID.fullmatch(self._text) is not None


class Secret(Masked):
    """A secret access key, session token or MFA code."""

    __slots__ = ()


def scrub(text: str, *hidden: Masked | None) -> str:
    """``text`` with every hidden value masked: AWS and Terraform quote what they refuse."""
    # The longest first: one value may be the beginning of another.
    for value in sorted({each.reveal() for each in hidden if each is not None}, key=len, reverse=True):
        if value:
            text = text.replace(value, MASK)
    return text
