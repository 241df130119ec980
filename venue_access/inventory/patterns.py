"""Select hosts by Ansible's ``--limit`` patterns.

Source: Ansible's "Patterns: targeting hosts and groups", and ansible-core, inventory/manager.py, for what it leaves
open: the order of hosts, colons, subscripts.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import subprocess
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from venue_access.errors import UsageError
from venue_access.files import read_regular, user_path
from venue_access.inventory.groups import Inventory
from venue_access.inventory.suggestions import did_you_mean

_LARGEST_FILE = 4 * 1024 * 1024
_LONGEST_PIECE = 1_000
_MOST_WILDCARDS = 1_000
_REGEX_SECONDS = 2
_REGEX_PROGRAM = """
import contextlib, json, re, resource, sys
with contextlib.suppress(OSError, ValueError):
    resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[1]), int(sys.argv[1])))
expressions, names = json.load(sys.stdin)
for expression in expressions:
    try:
        wanted = re.compile(expression)
        print(json.dumps([name for name in names if wanted.match(name)]))
    except (re.error, OverflowError, RecursionError, MemoryError) as error:
        print(json.dumps(str(error) or type(error).__name__))
"""
"""Matches Python's regular expressions, which Ansible uses and some of which backtrack without end.

It runs as a separate process, whose processor time the system limits.
"""
_SUBSCRIPT = re.compile(r"(.+)\[(?:(-?[0-9]+)|([0-9]+)[:-]([0-9]*))\]")
_PIECES = re.compile(r"(?:[^\s:\[\]]|\[[^\]]*\])+")
_HOST_AND_PORT = re.compile(r"\w(?:[\w.-]|\[[0-9a-z:]+\])*:[0-9]+")


@dataclass(frozen=True)
class Selection:
    """The hosts that a pattern selects, in the inventory's order, and its parts that match nothing."""

    hosts: tuple[str, ...]
    unmatched: tuple[str, ...] = ()


def select(inventory: Inventory, pattern: str | Sequence[str]) -> Selection:
    """Return the hosts that ``--limit pattern`` selects; several patterns are one with all their parts.

    Names, groups, globs ``* ? [abc]``, subscripts ``group[0]``, ``group[1:3]``, ``group[-1]``, ``~regex``, and
    ``@file`` with a pattern a line; ``a,b`` or ``a:b`` is the union, ``:&`` the intersection, ``:!`` the exclusion.
    Unions come first, then ``&``, then ``!``. Colons separate only where no comma does.

    :raises UsageError: a bad regex or one that takes too long, a subscript outside its group, an unbalanced
        bracket, a file that cannot be read.
    """
    pieces = [(piece[:1], piece[1:]) if piece[0] in "&!" else ("", piece) for piece in _pieces(pattern)]
    patterns = _Patterns(inventory, dict.fromkeys(bare for _, bare in pieces))
    chosen: set[str] = set()
    unmatched: list[str] = []
    for mark, bare in pieces:
        matched = patterns.matches(bare)
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
    """Return the hosts as ``select`` does, at least one.

    :raises UsageError: no host is left, with suggestions; or the pattern is empty, which Ansible takes for no limit,
        and which here is probably a shell variable that is not set.
    """
    if not _split(pattern):
        raise UsageError("the limit is empty", hint="leave it out, or write 'all', to mean every venue")
    selection = select(inventory, pattern)
    if selection.hosts:
        return selection
    shown = pattern if isinstance(pattern, str) else ",".join(pattern)
    names = [*inventory.hosts, *inventory.groups]
    hints = [did_you_mean(piece, names) for piece in selection.unmatched]
    raise UsageError(
        f"the limit {shown!r} leaves no venue{next(filter(None, hints), '')}",
        hint=f"hosts: {_shown(inventory.hosts)}; groups: {_shown(inventory.groups)}",
    )


def _shown(names: Iterable[str], most: int = 20) -> str:
    names = list(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _pieces(pattern: str | Sequence[str]) -> list[str]:
    """Return the parts of a pattern, those of files included: unions, then intersections, then exclusions.

    Without a union it begins with all hosts.

    :raises UsageError: a piece is empty or too long, or there are too many wildcards.
    """
    pieces: dict[str, None] = {}
    for piece in _split(pattern):
        pieces.update(dict.fromkeys(_lines(user_path(piece[1:])) if piece.startswith("@") else [piece]))
    for piece in pieces:
        if piece in ("&", "!"):
            raise UsageError(f"the limit has a {piece!r} with no name after it")
        if piece.lstrip("&!") == "~":
            raise UsageError("the limit has a '~' with no regular expression after it", hint="write 'all' for all")
        if len(piece) > _LONGEST_PIECE:
            raise UsageError(f"the limit has a piece of {len(piece)} characters: {piece[:20]!r}...")
    if sum(map(_is_wildcard, pieces)) > _MOST_WILDCARDS:
        raise UsageError(f"the limit has more than {_MOST_WILDCARDS} wildcards", hint="name groups or hosts instead")
    unions = [piece for piece in pieces if piece[0] not in "&!"] or ["all"]
    return [*unions, *(piece for mark in "&!" for piece in pieces if piece[0] == mark)]


def _is_wildcard(piece: str) -> bool:
    return piece.lstrip("&!").startswith("~") or any(mark in piece for mark in "?*[")


def _split(pattern: str | Sequence[str]) -> list[str]:
    """Return the parts of a pattern; one with a comma is split at commas only, so that a regex may have colons.

    The name of an existing file is one part, even if it has separators in it.
    """
    if not isinstance(pattern, str):
        return [piece for one in pattern for piece in _split(one)]
    if pattern.startswith("@") and os.path.isfile(user_path(pattern[1:])):
        return [pattern]
    if "," in pattern:
        pieces = pattern.split(",")
    elif _HOST_AND_PORT.fullmatch(pattern):
        pieces = [pattern]
    else:
        pieces = _PIECES.findall(pattern)
        left = set(_PIECES.sub("", pattern)) & set("[]")
        if left:
            raise UsageError(
                f"the limit {pattern!r} has an unbalanced {left.pop()!r}",
                hint="a regular expression with a ':' or unequal brackets takes a comma at its end",
            )
    return [piece.strip() for piece in pieces if piece.strip()]


def _lines(file: Path) -> list[str]:
    try:
        text = read_regular(file, most=_LARGEST_FILE).decode("utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        if isinstance(error, UnicodeDecodeError):
            reason = "it is not text"
        raise UsageError(f"the limit file {str(file)!r} cannot be read: {reason.lower()}") from error
    return [line.strip() for line in text.split("\n") if line.strip()]


class _Patterns:
    """The parts of a limit, without their marks, matched against an inventory; regular expressions all at once."""

    def __init__(self, inventory: Inventory, pieces: Iterable[str]) -> None:
        self._inventory = inventory
        names = [*inventory.groups, *inventory.entries]
        self._matching = _regex_matches([piece[1:] for piece in pieces if piece.startswith("~")], names)

    def matches(self, piece: str) -> Sequence[str] | None:
        """Return the hosts that a part matches, or None if it matches no host and no group."""
        if piece in self._inventory.entries:
            return [piece]
        subscript = None if piece.startswith("~") else _SUBSCRIPT.fullmatch(piece)
        name = subscript[1] if subscript else piece
        hosts = self._named(name)
        if not subscript or not hosts:
            return hosts
        try:
            return _subscripted(hosts, subscript)
        except (IndexError, ValueError) as error:
            raise UsageError(f"the limit {piece!r} is out of range: {name!r} has {len(hosts)} hosts") from error

    def _named(self, name: str) -> Sequence[str] | None:
        """Return the hosts of the groups that a name, glob or ``~regex`` matches, and the hosts that it matches itself.

        A plain name of a group matches no host. A host of several matching groups is listed several times, as Ansible
        counts it for subscripts.
        """
        groups, hosts = self._alike(self._inventory.groups, name), self._alike(self._inventory.entries, name)
        found = [host for group in groups for host in self._inventory.group_hosts(group)]
        if not groups or _is_wildcard(name) or "." in name:
            found.extend(hosts)
        return found if found or groups or name == "all" else None

    def _alike(self, names: Collection[str], name: str) -> list[str]:
        """Return the names that a name, glob or ``~regex`` matches."""
        if name.startswith("~"):
            return [each for each in names if each in self._matching[name[1:]]]
        if not _is_wildcard(name):
            return [name] if name in names else []
        try:
            wanted = re.compile(fnmatch.translate(name))
        except re.error as error:
            raise UsageError(f"the limit {name!r} is not a pattern: {error}") from error
        return [each for each in names if wanted.match(each)]


def _regex_matches(expressions: Sequence[str], names: Sequence[str]) -> dict[str, frozenset[str]]:
    """Return the names that each regular expression matches from their beginning.

    :raises UsageError: one is not valid, or takes too long.
    """
    if not expressions:
        return {}
    shown = ", ".join(repr(f"~{each}") for each in expressions)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _REGEX_PROGRAM, str(_REGEX_SECONDS)],
        input=json.dumps([expressions, names]),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode > 0:
        raise UsageError(f"the limit {shown} cannot be tried: {done.stderr.strip()[-200:]}")
    if done.returncode != 0:  # a signal: the time was up
        raise UsageError(
            f"the limit {shown} takes too long: more than {_REGEX_SECONDS} s",
            hint="write the regular expression without repetitions of repetitions, such as (a+)+",
        )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    for expression, matched in zip(expressions, found, strict=True):
        if isinstance(matched, str):
            hint = "a ':' separates patterns; to have one in an expression, end the limit with a comma"
            raise UsageError(f"the limit {'~' + expression!r} is not a regular expression: {matched}", hint=hint)
    return {each: frozenset(matched) for each, matched in zip(expressions, found, strict=True)}


def _subscripted(hosts: Sequence[str], subscript: re.Match[str]) -> Sequence[str]:
    """Return the host ``[n]``, from the end if negative, or ``[a:b]`` with both ends, or ``[a:]`` to the last."""
    index, start, end = subscript.groups()[1:]
    if index is not None:
        return [hosts[int(index)]]
    if end == "":
        return hosts[int(start) :]
    if int(end) == 0:
        return [hosts[int(start)]]  # as Ansible does, which takes an end of 0 for none
    return hosts[int(start) : int(end) + 1]
