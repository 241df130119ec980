"""Statements for bash, zsh and dash.

Each ends in ``;`` and so outlives an unquoted ``eval $(...)``, which makes one line of them all.
"""

from __future__ import annotations

from venue_access.aws import AssumedRole
from venue_access.tokens.formats import Format, Terms
from venue_access.tokens.shells import posix_quoted, variables


def _statement(name: str, value: str | None) -> str:
    return f"unset {name};" if value is None else f"export {name}={posix_quoted(value)};"


def _write(token: AssumedRole, terms: Terms) -> str:
    return "\n".join(_statement(name, value) for name, value in variables(token, terms.region).items())


FORMAT = Format(_write)
