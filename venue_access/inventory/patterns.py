"""Chooses hosts by Ansible's ``--limit`` patterns.

Source: Ansible's "Patterns: targeting hosts and groups", and ansible-core, inventory/manager.py, for what it leaves
open: the order of hosts, colons, subscripts.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from venue_access.errors import RequestError
from venue_access.inventory.nearby import did_you_mean
from venue_access.inventory.tree import Inventory

_SUBSCRIPT = re.compile(r"(.+)\[(?:(-?[0-9]+)|([0-9]+)[:-]([0-9]*))\]")
_PIECES = re.compile(r"(?:[^\s:\[\]]|\[[^\]]*\])+")
_HOST_AND_PORT = re.compile(r"\w(?:[\w.-]|\[[0-9a-z:]+\])*:[0-9]+")


@dataclass(frozen=True)
class Selection:
    """The hosts that a pattern leaves, in the inventory's order, and its pieces that match nothing: worth a warning."""

    hosts: tuple[str, ...]
    unmatched: tuple[str, ...] = ()


def select(inventory: Inventory, pattern: str | Sequence[str]) -> Selection:
    """The hosts that ``--limit pattern`` leaves; several patterns are taken together.

    Names, groups, globs ``* ? [abc]``, subscripts ``group[0]``, ``group[1:3]``, ``group[-1]``, ``~regex``, and
    ``@file`` with a pattern a line; ``a,b`` or ``a:b`` is the union, ``:&`` the intersection, ``:!`` the exclusion.
    Whatever the writing order, unions come first, then ``&``, then ``!``. Colons separate only where no comma does.

    :raises RequestError: a bad regex, a subscript outside its group, a file that cannot be read.
    """
    pieces = _ordered(_from_files(_split(pattern)))
    chosen: set[str] = set()
    unmatched: list[str] = []
    for piece in pieces:
        mark, bare = (piece[0], piece[1:]) if piece[0] in "&!" else ("", piece)
        matched = _matches(inventory, bare)
        if matched is None:
            unmatched.append(bare)
        hosts = set(matched or ())
        if mark == "&":
            chosen &= hosts
        elif mark == "!":
            chosen -= hosts
        else:
            chosen |= hosts
    return Selection(tuple(host for host in inventory.hosts if host in chosen), tuple(unmatched))


def limit(inventory: Inventory, pattern: str | Sequence[str]) -> Selection:
    """As ``select``, but a pattern that leaves no host is an error.

    :raises RequestError: no host is left, and what the names could have been; or the pattern is empty, which to
        Ansible is no limit at all and here is rather a shell variable that was never set.
    """
    if not _split(pattern):
        raise RequestError("the limit is empty", hint="leave it out, or write 'all', to mean every venue")
    selection = select(inventory, pattern)
    if selection.hosts:
        return selection
    shown = pattern if isinstance(pattern, str) else ",".join(pattern)
    names = [*inventory.hosts, *inventory.groups]
    hints = [did_you_mean(piece, names) for piece in selection.unmatched]
    raise RequestError(
        f"the limit {shown!r} leaves no venue{next(filter(None, hints), '')}",
        hint=f"hosts: {_shown(inventory.hosts)}; groups: {_shown(inventory.groups)}",
    )


def _shown(names: Iterable[str], most: int = 20) -> str:
    names = list(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _split(pattern: str | Sequence[str]) -> list[str]:
    """The pieces of a pattern; one with a comma is split at commas only, so that a regex may hold colons."""
    if not isinstance(pattern, str):
        return [piece for one in pattern for piece in _split(one)]
    if "," in pattern:
        pieces = pattern.split(",")
    elif _HOST_AND_PORT.fullmatch(pattern):
        pieces = [pattern]
    else:
        pieces = _PIECES.findall(pattern)
    return [piece.strip() for piece in pieces if piece.strip()]


def _from_files(pieces: Sequence[str]) -> list[str]:
    """The pieces, each ``@file`` replaced by its lines."""
    found: list[str] = []
    for piece in pieces:
        if piece.startswith("@"):
            found.extend(_lines(Path(piece[1:])))
        else:
            found.append(piece)
    return found


def _lines(file: Path) -> list[str]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise RequestError(f"the limit file {str(file)!r} cannot be read: {str(reason).lower()}") from error
    return [line.strip() for line in text.split("\n") if line.strip()]


def _ordered(pieces: Sequence[str]) -> list[str]:
    """Unions, then intersections, then exclusions; where there is no union, it is all hosts."""
    for piece in pieces:
        if piece in ("&", "!"):
            raise RequestError(f"the limit has a {piece!r} with no name after it")
    unions = [piece for piece in pieces if piece[0] not in "&!"] or ["all"]
    return [
        *unions,
        *(piece for piece in pieces if piece[0] == "&"),
        *(piece for piece in pieces if piece[0] == "!"),
    ]


def _matches(inventory: Inventory, piece: str) -> Sequence[str] | None:
    """The hosts that a piece without mark matches; None where it matches no host and no group."""
    if piece in inventory.entries:
        return [piece]
    name, subscript = piece, None
    if not piece.startswith("~"):
        subscript = _SUBSCRIPT.fullmatch(piece)
        name = subscript[1] if subscript else piece
    hosts = _named(inventory, name)
    if not subscript or not hosts:
        return hosts
    try:
        return _subscripted(hosts, subscript)
    except IndexError as error:
        raise RequestError(f"the limit {piece!r} is out of range: {name!r} has {len(hosts)} hosts") from error


def _subscripted(hosts: Sequence[str], subscript: re.Match[str]) -> Sequence[str]:
    """``[n]`` is one host, from the end where negative; ``[a:b]`` includes both ends, ``[a:]`` goes to the last."""
    index, start, end = subscript.groups()[1:]
    if index is not None:
        return [hosts[int(index)]]
    if end == "":
        return hosts[int(start) :]
    if int(end) == 0:
        return [hosts[int(start)]]  # as Ansible does, which takes an end of 0 for none
    return hosts[int(start) : int(end) + 1]


def _named(inventory: Inventory, name: str) -> Sequence[str] | None:
    """The hosts of the groups that a name, glob or ``~regex`` matches, and the hosts that it matches itself.

    A plain name that is a group's does not go on to hosts. A host of several matching groups is listed several
    times: Ansible counts it so for subscripts.
    """
    try:
        wanted = re.compile(name[1:] if name.startswith("~") else fnmatch.translate(name))
    except (re.error, OverflowError, RecursionError) as error:
        raise RequestError(f"the limit {name!r} is no regular expression: {error}") from error
    groups = [group for group in inventory.groups if wanted.match(group)]
    found = [host for group in groups for host in inventory.group_hosts(group)]
    if not groups or name.startswith("~") or any(mark in name for mark in ".?*["):
        found.extend(host for host in inventory.entries if wanted.match(host))
    return found if found or groups or name == "all" else None
