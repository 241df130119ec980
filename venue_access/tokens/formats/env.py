"""Statements for bash, zsh and dash.

Each ends in ``;`` and so outlives an unquoted ``eval $(...)``, which makes one line of them all.
"""

from __future__ import annotations

from venue_access.tokens.shells import posix_quoted, shell_format


def _statement(name: str, value: str | None) -> str:
    return f"unset {name};" if value is None else f"export {name}={posix_quoted(value)};"


FORMAT = shell_format(_statement)
