"""From the documents of an inventory to its groups and hosts, by the rules of Ansible's YAML inventory plugin.

Where Ansible skips something with a warning (an unknown key in a group, a group that is no mapping), this is a
problem: a slip must not pass silently. Source: ansible-core, plugins/inventory/yaml.py and inventory/data.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from venue_access.errors import Problem
from venue_access.inventory.groups import Group, Host
from venue_access.inventory.limits import DEEPEST_GROUP, LONGEST_NAME, LONGEST_NUMBER, MOST_HOSTS, LimitExceeded
from venue_access.inventory.ranges import expand
from venue_access.inventory.suggestions import did_you_mean
from venue_access.inventory.values import SourcedValue

SECTIONS = ("hosts", "children", "vars")
DEEPEST = 50
_MOST_ANCESTORS = 2 * DEEPEST_GROUP  # a group may be in several at each depth


@dataclass
class _Draft:
    hosts: dict[str, None] = field(default_factory=dict)
    children: dict[str, None] = field(default_factory=dict)
    parents: dict[str, None] = field(default_factory=dict)
    inline: dict[str, SourcedValue] = field(default_factory=dict)
    priority: int = 1


class Builder:
    """Takes documents one by one, then hands out groups and hosts; what is wrong gathers in ``problems``."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._groups = {"all": _Draft(), "ungrouped": _Draft()}
        self._hosts: dict[str, dict[str, SourcedValue]] = {}
        self._file = Path()
        self._add_child("all", "ungrouped")

    def add(self, document: object, file: Path) -> None:
        """Add what one inventory file says; later files win over earlier ones."""
        self._file = file
        if not isinstance(document, Mapping):
            self._problem(f"expected a mapping of groups such as 'all:', found {kind(document)}")
        elif document.get("plugin"):
            self._problem("configures an inventory plugin; only groups, hosts and variables written out are read")
        else:
            for name, content in document.items():
                self._group(name, content)

    def reconcile(self) -> None:
        """Put parentless groups below ``all``, and into ``ungrouped`` just the hosts that no other group has."""
        for name, draft in self._groups.items():
            if name != "all" and not draft.parents:
                self._add_child("all", name)
        grouped = {
            host
            for name, draft in self._groups.items()
            if name not in ("all", "ungrouped") or draft.parents.keys() - {"all"}
            for host in draft.hosts
        }
        ungrouped = self._groups["ungrouped"].hosts
        for host in self._hosts:
            if host in grouped:
                ungrouped.pop(host, None)
            else:
                ungrouped.setdefault(host)
        for name in self._hosts.keys() & self._groups.keys():
            self._problem(f"{name!r} is both a host and a group; Ansible would give the host's variables to the group")

    def groups(self, filed: Callable[[str], Mapping[str, SourcedValue]]) -> dict[str, Group]:
        """The groups; ``filed`` gives a group's variables from ``group_vars/``."""
        return {
            name: Group(name, tuple(draft.hosts), tuple(draft.children), draft.inline, filed(name), draft.priority)
            for name, draft in self._groups.items()
        }

    def hosts(self, filed: Callable[[str], Mapping[str, SourcedValue]]) -> dict[str, Host]:
        """The hosts; ``filed`` gives a host's variables from ``host_vars/``."""
        return {name: Host(name, inline, filed(name)) for name, inline in self._hosts.items()}

    def _problem(self, message: str, key: str | None = None) -> None:
        self.problems.append(Problem(message, file=self._file, key=key))

    def _group(self, name: object, content: object) -> str | None:
        """Add a group and what is below it; its name, or None where it has no usable one."""
        if not self._is_name(name, "group"):
            return None
        name = str(name)
        draft = self._groups.setdefault(name, _Draft())
        if content is None:
            return name
        if not isinstance(content, Mapping):
            self._problem(f"a group is a mapping with {_listed(SECTIONS)}, found {kind(content)}", name)
            return name
        for key, entries in content.items():
            if key not in SECTIONS:
                hint = did_you_mean(str(key), SECTIONS)
                self._problem(f"a group has {_listed(SECTIONS)}, not {key!r}{hint}", name)
            elif isinstance(entries, str):
                self._section(name, draft, key, {entries: None})
            elif isinstance(entries, Mapping):
                self._section(name, draft, key, entries)
            elif entries is not None:
                message = f"expected a mapping, each name followed by a colon, found {kind(entries)}"
                self._problem(message, f"{name}.{key}")
        return name

    def _section(self, name: str, draft: _Draft, key: str, entries: Mapping[Any, Any]) -> None:
        if key == "vars":
            self._group_variables(name, draft, entries)
        elif key == "children":
            for child, content in entries.items():
                added = self._group(child, content)
                if added is not None:
                    self._add_child(name, added)
        else:
            for entry, variables in entries.items():
                self._host(name, draft, entry, variables)

    def _group_variables(self, name: str, draft: _Draft, variables: Mapping[Any, Any]) -> None:
        for variable, setting in self._settings(variables, f"{name}.vars").items():
            if variable != "ansible_group_priority":
                draft.inline[variable] = setting
            elif _is_whole_number(setting.value):
                draft.priority = int(setting.value)
            else:
                self._problem(f"expected a whole number, found {setting.value!r}", f"{name}.{variable}")

    def _host(self, group: str, draft: _Draft, entry: object, variables: object) -> None:
        if not self._is_name(entry, "host"):
            return
        where = f"{group}.hosts.{entry}"
        try:
            names = expand(str(entry))
        except ValueError as error:
            self._problem(str(error), where)
            return
        if any(":" in name for name in names):
            self._problem("a host name holds no ':'; give a port as the variable ansible_port", where)
            return
        if not isinstance(variables, (Mapping, type(None))):
            self._problem(f"the variables of a host are a mapping, found {kind(variables)}", where)
            return
        settings = self._settings(variables or {}, where)
        if len(self._hosts) + len(names) > MOST_HOSTS:
            raise LimitExceeded(f"the inventory has more than {MOST_HOSTS} hosts")
        for name in names:
            self._hosts.setdefault(name, {}).update(settings)
            draft.hosts.setdefault(name)

    def _settings(self, variables: Mapping[Any, Any], where: str) -> dict[str, SourcedValue]:
        for name in variables:
            if not isinstance(name, str):
                self._problem(f"the name of a variable is a text, found {kind(name)} {name!r}", where)
        return {name: SourcedValue(value, self._file) for name, value in variables.items() if isinstance(name, str)}

    def _is_name(self, name: object, what: str) -> bool:
        if not isinstance(name, str):
            self._problem(f"the name of a {what} is a text, found {kind(name)} {name!r}; put it in quotes")
        elif len(name) > LONGEST_NAME:
            self._problem(f"{name!r} is no name for a {what}: it has more than {LONGEST_NAME} characters")
        elif not name or not name.isprintable() or "/" in name or name in (".", ".."):
            self._problem(f"{name!r} is no name for a {what}: it is also the name of a file")
        else:
            return True
        return False

    def _add_child(self, parent: str, child: str) -> None:
        """Make ``child`` a child group of ``parent``."""
        above = self._ancestors(parent)
        if child == "all" or parent == child or child in above:
            self._problem(f"the group {child!r} cannot be a child of {parent!r}: it contains that group", parent)
        elif len(above) > _MOST_ANCESTORS:
            raise LimitExceeded(f"the group {parent!r} is nested too deep, in more than {_MOST_ANCESTORS} others")
        else:
            self._groups[parent].children.setdefault(child)
            self._groups[child].parents.setdefault(parent)

    def _ancestors(self, name: str) -> set[str]:
        """The groups that contain a group, or as many of them as are too many."""
        found: set[str] = set()
        waiting = [name]
        while waiting and len(found) <= _MOST_ANCESTORS:
            parents = self._groups[waiting.pop()].parents.keys() - found
            found |= parents
            waiting.extend(parents)
        return found


def _is_whole_number(value: object) -> bool:
    text = str(value) if isinstance(value, (int, str)) else ""
    return len(text) <= LONGEST_NUMBER and text.removeprefix("-").isdecimal()


def kind(value: object) -> str:
    """What a YAML value is, in YAML's words."""
    if isinstance(value, bool):
        return "a boolean"
    for types, word in _KINDS:
        if isinstance(value, types):
            return word
    return f"a {type(value).__name__}"


_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (type(None), "nothing"),
    (str, "a text"),
    ((int, float), "a number"),
    (Mapping, "a mapping"),
    ((list, tuple), "a list"),
)


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{word}:'" for word in words[:-1]) + f" and '{words[-1]}:'"
