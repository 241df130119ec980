"""Statements for PowerShell, each on a line of its own, as ``... | Invoke-Expression`` takes them.

The sources: Microsoft, about_Quoting_Rules; and for the typographic quotes ``CodeGeneration
.EscapeSingleQuotedStringContent``: PowerShell ends a string at U+2018 to U+201B as it does at ``'``.
"""

from __future__ import annotations

import re

from venue_access.tokens.formats import Shell
from venue_access.tokens.shells import shell_format


def _quoted(value: str) -> str:
    """In single quotes, each quote doubled; control characters, line breaks among them, are added by number."""
    doubled = re.sub("(['\u2018-\u201b])", r"\1\1", value)
    return "'" + re.sub(r"[\x01-\x1f\x7f]", lambda found: f"' + [char]{ord(found[0])} + '", doubled) + "'"


def _statement(name: str, value: str | None) -> str:
    return f"$env:{name} = {'$null' if value is None else _quoted(value)}"


def _copy_unless(source: str, target: str, third: str) -> str:
    return f"if ($env:{source} -cne $env:{third}) {{ $env:{target} = $env:{source} }}"


def _restore_if(name: str, value: str, third: str) -> str:
    return f"if ($env:{name} -ceq $env:{third}) {{ $env:{name} = $env:{value} }}"  # an empty value unsets


FORMAT = shell_format(Shell(_statement, _copy_unless, _restore_if))
