"""The groups, hosts and variables of an inventory, with Ansible's order and precedence, and the limits of reading one.

The limits refuse a mistake or an attack before it takes the machine's time or memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from venue_access.errors import Problem

MAX_FILE_BYTES = 8 * 1024 * 1024
MAX_FILES = 20_000
MAX_BYTES = 4 * MAX_FILE_BYTES
MAX_VALUES = 100_000
MAX_HOSTS = 10_000
MAX_DEPTH = 50  # of values within values
MAX_GROUP_DEPTH = 100
MAX_WEIGHT = 20_000_000  # characters in the variables of all hosts together; a group's count for each of its hosts
MAX_DIGITS = 100  # of a number: Python's time to convert one grows with the square of its digits
MAX_NAME = 255  # characters of a host's or group's name, which is also the name of a file


class SourcedValue(NamedTuple):
    """A variable's value, and the file and line (from 1) that it comes from."""

    value: Any
    file: Path
    line: int | None = None


class LocatedDict(dict[Any, Any]):
    """A mapping of a document, with the line (from 1) of each key."""

    __slots__ = ("lines",)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.lines: dict[Any, int] = {}


def line_of(mapping: Mapping[Any, Any], key: object) -> int | None:
    """Return the line of a key in its document, or None where that is not known."""
    return mapping.lines.get(key) if isinstance(mapping, LocatedDict) else None


class UnsafeText(str):
    """A string tagged ``!unsafe``, which is never a template."""

    __slots__ = ()


@dataclass(frozen=True)
class Vaulted:
    """A string tagged ``!vault``, which is not decrypted."""

    ciphertext: str


class LimitExceeded(ValueError):
    """The inventory exceeds a limit, and reading it stops."""


class Limits:
    """What remains of the limits while an inventory is read."""

    def __init__(self) -> None:
        self.files = MAX_FILES
        """Directory entries, read or not."""
        self.size = MAX_BYTES
        self.values = MAX_VALUES

    def take(self, *, files: int = 0, size: int = 0, values: int = 0) -> None:
        """Count directory entries, the bytes of a file, or the values of a document."""
        self.files -= files
        self.size -= size
        self.values -= values
        if self.files < 0:
            raise LimitExceeded(f"the inventory has more than {MAX_FILES} files; check that this is the right folder")
        if self.size < 0:
            raise LimitExceeded(f"the inventory's files are larger than {MAX_BYTES // 1024 // 1024} MiB together")
        if self.values < 0:
            raise LimitExceeded(f"the inventory has more than {MAX_VALUES} values")


def _weight(settings: Mapping[str, SourcedValue]) -> int:
    """Return roughly the characters of variables as JSON, or any number above the limit."""
    total, waiting = 0, [*settings, *(setting.value for setting in settings.values())]
    while waiting and total <= MAX_WEIGHT:
        part = waiting.pop()
        total += 8
        if isinstance(part, (str, bytes)):
            total += len(part)
        elif isinstance(part, dict):
            waiting.extend(part)
            waiting.extend(part.values())
        elif isinstance(part, (list, tuple, set)):
            waiting.extend(part)
    return total


def kind(value: object) -> str:
    """Return the type of a value in YAML's terms, for a message."""
    for types, word in _KINDS:
        if isinstance(value, types):
            return word
    return f"a {type(value).__name__}"


_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (type(None), "null"),
    (bool, "a boolean"),
    (str, "a string"),
    ((int, float), "a number"),
    (Mapping, "a mapping"),
    ((list, tuple), "a list"),
)


@dataclass
class Group:
    """A group: its own hosts and child groups by name, its variables inline and from ``group_vars/``."""

    name: str
    hosts: dict[str, None] = field(default_factory=dict)
    children: dict[str, None] = field(default_factory=dict)
    inline: dict[str, SourcedValue] = field(default_factory=dict)
    filed: dict[str, SourcedValue] = field(default_factory=dict)
    priority: int = 1
    """``ansible_group_priority``: of two groups equally deep the higher wins."""


@dataclass
class Host:
    """A host: its variables inline and from ``host_vars/``, and where it is first declared."""

    name: str
    inline: dict[str, SourcedValue] = field(default_factory=dict)
    filed: dict[str, SourcedValue] = field(default_factory=dict)
    file: Path | None = None
    line: int | None = None


@dataclass(frozen=True)
class Inventory:
    """An inventory as ``load_inventory`` reads it.

    ``groups`` always has ``all`` and ``ungrouped``, and every other group is below ``all``. ``entries`` has the hosts
    in the order in which they are declared. ``warnings`` are about files that Ansible ignores.
    """

    path: Path
    groups: Mapping[str, Group]
    entries: Mapping[str, Host]
    warnings: tuple[Problem, ...] = ()
    _merged: dict[tuple[str, ...], dict[str, SourcedValue]] = field(default_factory=dict, init=False, compare=False)
    _rivals: dict[tuple[tuple[str, ...], str], tuple[SourcedValue, SourcedValue] | None] = field(
        default_factory=dict, init=False, compare=False
    )

    @cached_property
    def hosts(self) -> tuple[str, ...]:
        """The names of all hosts in Ansible's order."""
        return self.group_hosts("all")

    def group_hosts(self, name: str) -> tuple[str, ...]:
        """Return the hosts of a group and of all below it: its own first, then its children's, level by level."""
        found: dict[str, None] = {}
        seen = {name}
        level = [name]
        while level:
            below: list[str] = []
            for group in level:
                found.update(self.groups[group].hosts)
                below.extend(child for child in self.groups[group].children if child not in seen)
            level = list(dict.fromkeys(below))
            seen.update(level)
        return tuple(found)

    def problem(self, host: str, message: str, key: str | None = None) -> Problem:
        """Return a problem of a host, with the place of its variable ``key``, or else of the host."""
        entry = self.entries[host]
        place = self.settings(host).get(key or "") or SourcedValue(None, entry.file or self.path, entry.line)
        return Problem(message, place.file, host, key, place.line)

    def settings(self, host: str) -> dict[str, SourcedValue]:
        """Return the variables of a host by Ansible's precedence: a value replaces a weaker one and never merges.

        Low to high: inline vars of ``all``, inline vars of its groups, ``group_vars/all``, ``group_vars/<group>``,
        inline host vars, ``host_vars/<host>``. Source: Ansible's "Using variables", understanding precedence, and
        its setting VARIABLE_PRECEDENCE.
        """
        entry = self.entries[host]
        return {**self._group_settings(self._memberships[host]), **entry.inline, **entry.filed}

    def rival_of(self, host: str, variable: str) -> tuple[SourcedValue, SourcedValue] | None:
        """Return a variable's value and another one that it overrides only by the order of groups, or None.

        That is the value of another group of the host, neither of which contains the other.
        """
        entry, groups = self.entries[host], self._memberships[host]
        if len(groups) < 2 or variable in entry.inline or variable in entry.filed:
            return None
        key = (groups, variable)
        if key not in self._rivals:
            self._rivals[key] = self._find_rival(groups, variable)
        return self._rivals[key]

    def _find_rival(self, groups: tuple[str, ...], variable: str) -> tuple[SourcedValue, SourcedValue] | None:
        setting = self._group_settings(groups).get(variable)
        given: dict[str, SourcedValue] = {}
        for name in groups:
            own = self.groups[name].filed.get(variable) or self.groups[name].inline.get(variable)
            if own is not None:
                given[name] = own
        winner = next((name for name, own in given.items() if own is setting), None)
        if setting is None or winner is None:
            return None
        above = self._lineage([winner])
        for name, own in given.items():
            if own.value != setting.value and name not in above and winner not in self._lineage([name]):
                return setting, own
        return None

    def check_size(self) -> None:
        """Raise ``LimitExceeded`` if groups are nested too deep, or all hosts' variables together are too large."""
        if max(self._depths.values()) > MAX_GROUP_DEPTH:
            raise LimitExceeded(f"its groups are nested more than {MAX_GROUP_DEPTH} deep")
        total, known = 0, dict[tuple[str, ...], int]()
        for host in self.hosts:
            groups = self._memberships[host]
            if groups not in known:
                known[groups] = _weight(self._group_settings(groups))
            entry = self.entries[host]
            total += known[groups] + _weight(entry.inline) + _weight(entry.filed)
            if total > MAX_WEIGHT:
                raise LimitExceeded(f"the variables of all hosts come to more than {MAX_WEIGHT} characters")

    def _group_settings(self, groups: tuple[str, ...]) -> dict[str, SourcedValue]:
        """Return the variables of ``all`` and ``groups``, merged once for all hosts of the same groups."""
        if groups not in self._merged:
            ranked = [self.groups[name] for name in ("all", *groups)]
            known = self._merged[groups] = {}
            for variables in [*(group.inline for group in ranked), *(group.filed for group in ranked)]:
                known.update(variables)
        return self._merged[groups]

    @cached_property
    def _parents(self) -> dict[str, list[str]]:
        parents: dict[str, list[str]] = {name: [] for name in self.groups}
        for group in self.groups.values():
            for child in group.children:
                parents[child].append(group.name)
        return parents

    @cached_property
    def _depths(self) -> dict[str, int]:
        """The longest path from ``all`` to each group."""
        depths = dict.fromkeys(self.groups, 0)
        awaited = {name: len(parents) for name, parents in self._parents.items()}
        settled = ["all"]
        for name in settled:
            for child in self.groups[name].children:
                depths[child] = max(depths[child], depths[name] + 1)
                awaited[child] -= 1
                if not awaited[child]:
                    settled.append(child)
        return depths

    @cached_property
    def _memberships(self) -> dict[str, tuple[str, ...]]:
        """The groups of each host except ``all``, from weak to strong."""
        direct: dict[str, set[str]] = {host: set() for host in self.entries}
        for group in self.groups.values():
            for host in group.hosts:
                direct[host].add(group.name)
        ranked: dict[frozenset[str], tuple[str, ...]] = {}
        for groups in {frozenset(each) for each in direct.values()}:
            above = self._lineage(groups) - {"all"}
            ranked[groups] = tuple(
                sorted(above, key=lambda name: (self._depths[name], self.groups[name].priority, name))
            )
        return {host: ranked[frozenset(groups)] for host, groups in direct.items()}

    def _lineage(self, groups: Iterable[str]) -> set[str]:
        """Return groups and all that contain them."""
        lineage: set[str] = set()
        waiting = list(groups)
        while waiting:
            name = waiting.pop()
            if name not in lineage:
                lineage.add(name)
                waiting.extend(self._parents[name])
        return lineage
