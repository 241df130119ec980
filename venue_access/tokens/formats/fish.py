"""Statements for fish.

The source: fish's documentation, "The fish language", Quotes and Escaping Characters.
"""

from __future__ import annotations

import re

from venue_access.tokens.formats import Shell
from venue_access.tokens.shells import shell_format


def _quoted(value: str) -> str:
    r"""In single quotes, where only ``\`` and ``'`` are special; control characters stand outside, as ``\xHH``.

    A line break is such a one: ``eval (...)`` would make a space of it.
    """
    escaped = re.sub(r"(['\\])", r"\\\1", value)
    return "'" + re.sub(r"[\x01-\x1f\x7f]", lambda found: f"'\\x{ord(found[0]):02x}'", escaped) + "'"


def _statement(name: str, value: str | None) -> str:
    # Global: a universal variable belongs to every session of the user's, and is not ours to take away.
    return f"set -eg {name};" if value is None else f"set -gx {name} {_quoted(value)};"


def _copy_unless(source: str, target: str, third: str) -> str:
    return f'test "${source}" = "${third}"; or set -gx {target} "${source}";'


def _restore_if(name: str, value: str, third: str) -> str:
    return f'test "${name}" != "${third}"; or set -gx {name} "${value}"; test -n "${name}"; or set -eg {name};'


FORMAT = shell_format(Shell(_statement, _copy_unless, _restore_if))
