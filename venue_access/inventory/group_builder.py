"""Build the groups and hosts of an inventory from its documents, by the rules of Ansible's YAML inventory plugin.

Where Ansible skips something with a warning (an unknown key in a group, a group that is not a mapping), this is a
problem: a mistake must not pass silently. Source: ansible-core, plugins/inventory/yaml.py and inventory/data.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from string import ascii_letters
from typing import Any

from venue_access.errors import Problem
from venue_access.inventory.groups import (
    MAX_DIGITS,
    MAX_GROUP_DEPTH,
    MAX_HOSTS,
    MAX_NAME,
    Group,
    Host,
    LimitExceeded,
    SourcedValue,
    kind,
    line_of,
)

SECTIONS = ("hosts", "children", "vars")
_MAX_ANCESTORS = 2 * MAX_GROUP_DEPTH  # a group may be in several at each depth
_RANGE = re.compile(r"\[([^\[\]]*)\]")
_NUMBERS = re.compile(r"([0-9]{0,9}):([0-9]{1,9})(?::([0-9]{1,9}))?")
_LETTERS = re.compile(r"([a-zA-Z]):([a-zA-Z])(?::([0-9]{1,9}))?")


class GroupBuilder:
    """Take documents one by one, then build groups and hosts.

    :param problems: takes what is wrong.
    """

    def __init__(self, problems: list[Problem]) -> None:
        self._problems = problems
        self.groups = {"all": Group("all"), "ungrouped": Group("ungrouped")}
        self.hosts: dict[str, Host] = {}
        self._parents: dict[str, dict[str, None]] = {"all": {}, "ungrouped": {}}
        self._file = Path()
        self._add_child("all", "ungrouped", None)

    def add(self, document: object, file: Path) -> None:
        """Add the document of one inventory file. Later files win over earlier ones."""
        self._file = file
        if not isinstance(document, Mapping):
            self._problem(f"expected a mapping of groups such as 'all:', found {kind(document)}")
        elif document.get("plugin"):
            self._problem("configures an inventory plugin; only inventories in plain YAML are read")
        else:
            for name, content in document.items():
                self._group(name, content, line_of(document, name))

    def finish(self) -> None:
        """Put parentless groups below ``all``, and into ``ungrouped`` just the hosts that no other group has."""
        for name in self.groups:
            if name != "all" and not self._parents[name]:
                self._add_child("all", name, None)
        grouped = {
            each
            for name, group in self.groups.items()
            if name not in ("all", "ungrouped") or self._parents[name].keys() - {"all"}
            for each in group.hosts
        }
        ungrouped = self.groups["ungrouped"].hosts
        for name in self.hosts:
            if name in grouped:
                ungrouped.pop(name, None)
            else:
                ungrouped.setdefault(name)
        for name in self.hosts.keys() & self.groups.keys():
            host = self.hosts[name]
            message = f"{name!r} is both a host and a group; Ansible would give the host's variables to the group"
            self._problems.append(Problem(message, host.file, line=host.line))

    def _problem(self, message: str, key: str | None = None, line: int | None = None) -> None:
        self._problems.append(Problem(message, self._file, key=key, line=line))

    def _group(self, name: object, content: object, line: int | None) -> str | None:
        """Add a group and everything below it. Return its name, or None after a problem with the name."""
        if not self._check_name(name, "group", line):
            return None
        name = str(name)
        group = self.groups.setdefault(name, Group(name))
        self._parents.setdefault(name, {})
        if content is None:
            return name
        if not isinstance(content, Mapping):
            self._problem(
                f"a group is a mapping with 'hosts:', 'children:' and 'vars:', found {_found(content)}", name, line
            )
            return name
        for key, entries in content.items():
            at = line_of(content, key)
            if key not in SECTIONS:
                from venue_access.inventory.suggestions import did_you_mean

                hint = did_you_mean(str(key), SECTIONS)
                self._problem(f"a group has 'hosts:', 'children:' and 'vars:', not {key!r}{hint}", name, at)
            elif isinstance(entries, str):
                self._section(group, key, {entries: None}, at)
            elif isinstance(entries, Mapping):
                self._section(group, key, entries, at)
            elif entries is not None:
                message = f"expected a mapping, each name followed by a colon, found {kind(entries)}"
                self._problem(message, f"{name}.{key}", at)
        return name

    def _section(self, group: Group, key: str, entries: Mapping[Any, Any], line: int | None) -> None:
        """Add the hosts, the child groups or the variables of a group; ``line`` is that of the whole section."""
        if key == "vars":
            for variable, setting in self._settings(entries, f"{group.name}.vars").items():
                if variable != "ansible_group_priority":
                    group.inline[variable] = setting
                elif _is_whole_number(setting.value):
                    group.priority = int(setting.value)
                else:
                    message = f"expected a whole number, found {setting.value!r}"
                    self._problem(message, f"{group.name}.{variable}", setting.line)
            return
        for entry, content in entries.items():
            at = line_of(entries, entry) or line
            if key == "hosts":
                self._host(group, entry, content, at)
            else:
                child = self._group(entry, content, at)
                if child is not None:
                    self._add_child(group.name, child, at)

    def _host(self, group: Group, entry: object, variables: object, line: int | None) -> None:
        if not self._check_name(entry, "host", line):
            return
        where = f"{group.name}.hosts.{entry}"
        try:
            names = expand_range(str(entry))
        except ValueError as error:
            self._problem(str(error), where, line)
            return
        if any(":" in name for name in names):
            self._problem("a host name has no ':'; give a port as the variable ansible_port", where, line)
            return
        if not isinstance(variables, (Mapping, type(None))):
            self._problem(f"the variables of a host are a mapping, found {_found(variables)}", where, line)
            return
        settings = self._settings(variables or {}, where)
        if len(self.hosts) + len(names) > MAX_HOSTS:
            raise LimitExceeded(f"the inventory has more than {MAX_HOSTS} hosts")
        for name in names:
            host = self.hosts.setdefault(name, Host(name, file=self._file, line=line))
            host.inline.update(settings)
            group.hosts.setdefault(name)

    def _settings(self, variables: Mapping[Any, Any], where: str) -> dict[str, SourcedValue]:
        settings: dict[str, SourcedValue] = {}
        for name, value in variables.items():
            line = line_of(variables, name)
            if isinstance(name, str):
                settings[name] = SourcedValue(value, self._file, line)
            else:
                self._problem(f"the name of a variable must be a string, found {kind(name)} {name!r}", where, line)
        return settings

    def _check_name(self, name: object, what: str, line: int | None) -> bool:
        """Return whether a host or group may have this name, after a problem if not."""
        if not isinstance(name, str):
            message = f"the name of a {what} must be a string, found {kind(name)} {name!r}; put it in quotes"
        elif len(name) > MAX_NAME:
            message = f"{name!r} cannot name a {what}: it has more than {MAX_NAME} characters"
        elif not name or not name.isprintable() or "/" in name or name in (".", ".."):
            message = f"{name!r} cannot name a {what}: it is also the name of a file"
        else:
            return True
        self._problem(message, line=line)
        return False

    def _add_child(self, parent: str, child: str, line: int | None) -> None:
        """Make ``child`` a child group of ``parent``."""
        above = self._ancestors(parent)
        if child == "all" or parent == child or child in above:
            self._problem(f"the group {child!r} cannot be a child of {parent!r}: it contains that group", parent, line)
        elif len(above) > _MAX_ANCESTORS:
            raise LimitExceeded(f"the group {parent!r} is nested too deep, in more than {_MAX_ANCESTORS} others")
        else:
            self.groups[parent].children.setdefault(child)
            self._parents[child].setdefault(parent)

    def _ancestors(self, name: str) -> set[str]:
        """Return the groups that contain a group; the search stops above the limit."""
        found: set[str] = set()
        waiting = [name]
        while waiting and len(found) <= _MAX_ANCESTORS:
            parents = self._parents[waiting.pop()].keys() - found
            found |= parents
            waiting.extend(parents)
        return found


def _is_whole_number(value: object) -> bool:
    text = str(value) if isinstance(value, (int, str)) else ""
    return len(text) <= MAX_DIGITS and text.removeprefix("-").isdecimal()


def _found(value: object) -> str:
    return f"{kind(value)}; is a colon missing?" if isinstance(value, str) else kind(value)


def expand_range(name: str) -> list[str]:
    """Return the hosts that a host entry names, in Ansible's order: ``demo-[01:03]`` is three hosts.

    A range is ``[begin:end]`` or ``[begin:end:step]``, both ends included: numbers, padded where ``begin`` is
    written with zeros, or single letters; a name may hold several. Source: Ansible's "How to build your
    inventory", adding ranges of hosts.

    :raises ValueError: the range is malformed or empty, or names more hosts than an inventory may have.
    """
    pieces = _RANGE.split(name)
    fixed, ranges = pieces[::2], []
    if any("[" in piece or "]" in piece for piece in fixed):
        raise ValueError("a bracket of a range is not closed")
    count = 1
    for bounds in pieces[1::2]:
        ranges.append(_members(bounds))
        count *= len(ranges[-1])
        if count > MAX_HOSTS:
            raise ValueError(f"the range has {count} hosts, more than {MAX_HOSTS}")
    template = "{}".join(piece.replace("{", "{{").replace("}", "}}") for piece in fixed)
    return [template.format(*choice) for choice in product(*ranges)]


def _members(bounds: str) -> Sequence[str]:
    found = _NUMBERS.fullmatch(bounds) or _LETTERS.fullmatch(bounds)
    if not found:
        raise ValueError(f"the range [{bounds}] must be [begin:end] or [begin:end:step], of numbers or of letters")
    begin, end, step = found[1] or "0", found[2], int(found[3] or 1)
    if step == 0:
        raise ValueError(f"the step of the range [{bounds}] is 0")
    if begin.isalpha():
        members: Sequence[str] = ascii_letters[ascii_letters.index(begin) : ascii_letters.index(end) + 1 : step]
    else:
        width = len(begin) if begin.startswith("0") and len(begin) > 1 else 0
        if width and width != len(end):
            raise ValueError(f"the ends of the range [{bounds}] must be of equal length, as {begin} is padded")
        numbers = range(int(begin), int(end) + 1, step)
        if len(numbers) > MAX_HOSTS:
            raise ValueError(f"the range [{bounds}] has more than {MAX_HOSTS} hosts")
        members = [str(number).zfill(width) for number in numbers]
    if not members:
        raise ValueError(f"the range [{bounds}] is empty")
    return members
