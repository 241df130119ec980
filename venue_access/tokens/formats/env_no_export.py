"""Assignments for bash, zsh and dash, for ``set -a; . ./token.env; set +a``; they take no variable away.

A value is quoted only where a shell needs it: what AWS issues is bare, and so the text is a dotenv file too.
"""

from __future__ import annotations

import re

from venue_access.aws.client import AssumedRole
from venue_access.tokens.formats import Format, FormatOptions
from venue_access.tokens.shells import assignments, posix_quoted

_BARE = re.compile(r"[\w+/.:,@%-][\w+/.:,@%=-]*", re.ASCII)  # zsh takes a leading = for the path of a command


def _write(token: AssumedRole, terms: FormatOptions) -> str:
    return "\n".join(
        f"{name}={value if _BARE.fullmatch(value) else posix_quoted(value)}"
        for name, value in assignments(token, terms).items()
    )


FORMAT = Format(_write)
