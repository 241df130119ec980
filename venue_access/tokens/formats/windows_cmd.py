"""Statements for cmd.exe, as a batch file.

Between the quotes of ``set "NAME=value"`` all is literal but ``%``, which a batch file doubles (Microsoft, Windows
commands, "set" and "Using batch parameters"). A quote would end them, and a line break the statement: refused.
Delayed expansion, which reads ``!``, is off unless somebody turns it on.
"""

from __future__ import annotations

import re

from venue_access.tokens.formats import Shell
from venue_access.tokens.shells import shell_format, unwritable

_REFUSED = re.compile(r'["\x00-\x1f\x7f]')


def _statement(name: str, value: str | None) -> str:
    if value is not None and _REFUSED.search(value):
        raise unwritable(name, "a double quote or control character", "a statement of cmd.exe")
    doubled = "" if value is None else value.replace("%", "%%")
    return f'set "{name}={doubled}"'  # nothing after the =: the variable is taken away


FORMAT = shell_format(Shell(_statement))  # for /f runs neither an "if" nor expands a %NAME%: no more than "set"
