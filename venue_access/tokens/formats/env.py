"""Statements for bash, zsh and dash.

Each ends in ``;`` and so outlives an unquoted ``eval $(...)``, which makes one line of them all.
"""

from __future__ import annotations

from venue_access.tokens.formats import Shell
from venue_access.tokens.shells import posix_quoted, shell_format


def _statement(name: str, value: str | None) -> str:
    return f"unset {name};" if value is None else f"export {name}={posix_quoted(value)};"


def _copy_unless(source: str, target: str, third: str) -> str:
    return f'test "${{{source}-}}" = "${{{third}-}}" || export {target}="${{{source}-}}";'


def _restore_if(name: str, value: str, third: str) -> str:
    restored = f'test "${{{name}-}}" != "${{{third}-}}" || export {name}="${{{value}-}}";'
    return f'{restored} test -n "${{{name}-}}" || unset {name};'


FORMAT = shell_format(Shell(_statement, _copy_unless, _restore_if))
