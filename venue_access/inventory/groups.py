"""The groups, hosts and variables of an inventory, with Ansible's order and precedence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from venue_access.errors import InventoryError, Problem
from venue_access.inventory.values import MAX_GROUP_DEPTH, MAX_WEIGHT, LimitExceeded, SourcedValue, to_json, weight

ANSIBLES_OWN = frozenset(
    "ansible_async_path ansible_collection_name ansible_config_file ansible_dependent_role_names ansible_diff_mode"
    " ansible_facts ansible_forks ansible_inventory_sources ansible_limit ansible_play_batch ansible_play_hosts"
    " ansible_play_hosts_all ansible_play_role_names ansible_playbook_python ansible_role_name ansible_role_names"
    " ansible_run_tags ansible_skip_tags ansible_verbosity ansible_version group_names groups hostvars inventory_dir"
    " inventory_file inventory_hostname inventory_hostname_short play_hosts playbook_dir role_name role_names role_path"
    " role_uuid".split()
)
"""Names that ``ansible-inventory`` leaves out of its lists; our ``role_path`` happens to be one."""

_LONGEST_GRAPH = 100_000


@dataclass(frozen=True)
class Group:
    """A group: its own hosts and child groups by name, its variables inline and from ``group_vars/``."""

    name: str
    hosts: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    inline: Mapping[str, SourcedValue] = field(default_factory=dict)
    filed: Mapping[str, SourcedValue] = field(default_factory=dict)
    priority: int = 1
    """``ansible_group_priority``: of two groups equally deep the higher wins."""


@dataclass(frozen=True)
class Host:
    """A host: its variables inline and from ``host_vars/``."""

    name: str
    inline: Mapping[str, SourcedValue] = field(default_factory=dict)
    filed: Mapping[str, SourcedValue] = field(default_factory=dict)
    file: Path | None = None
    line: int | None = None
    """Where the host is first declared."""


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
                found.update(dict.fromkeys(self.groups[group].hosts))
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

    def to_list(self) -> dict[str, Any]:
        """Return the document of ``ansible-inventory --list``.

        :raises InventoryError: JSON cannot represent a value, as for Ansible.
        """
        document: dict[str, Any] = {}
        for group in self.groups.values():
            about: dict[str, list[str]] = {}
            if group.children:
                about["children"] = list(group.children)
            if group.hosts and group.name != "all":
                about["hosts"] = list(group.hosts)
            if about:
                document[group.name] = about
        listed = {host: self._shown(host) for host in self.hosts}
        hostvars = {host: variables for host, variables in listed.items() if variables}
        return {"_meta": {"hostvars": hostvars, "profile": "inventory_legacy"}, **document}

    def graph(self) -> str:
        """Return the tree of ``ansible-inventory --graph``."""
        lines = list(islice(self._branch("all", 0), _LONGEST_GRAPH + 1))
        if len(lines) > _LONGEST_GRAPH:  # a group is drawn wherever it is a child, and all that is below it
            raise InventoryError([Problem(f"the graph has more than {_LONGEST_GRAPH} lines", self.path)])
        return "\n".join(lines)

    def check_size(self) -> None:
        """Raise ``LimitExceeded`` if groups are nested too deep, or all hosts' variables together are too large."""
        if max(self._depths.values()) > MAX_GROUP_DEPTH:
            raise LimitExceeded(f"its groups are nested more than {MAX_GROUP_DEPTH} deep")
        total, known = 0, dict[tuple[str, ...], int]()
        for host in self.hosts:
            groups = self._memberships[host]
            if groups not in known:
                known[groups] = self._weight(self._group_settings(groups))
            entry = self.entries[host]
            total += known[groups] + self._weight(entry.inline) + self._weight(entry.filed)
            if total > MAX_WEIGHT:
                raise LimitExceeded(f"the variables of all hosts come to more than {MAX_WEIGHT} characters")

    def _branch(self, name: str, depth: int) -> Iterator[str]:
        indent = "  |" * depth + "--" if depth else ""
        yield f"{indent}@{name}:"
        for child in self.groups[name].children:
            yield from self._branch(child, depth + 1)
        if name != "all":
            yield from ("  |" * (depth + 1) + f"--{host}" for host in self.groups[name].hosts)

    def _weight(self, settings: Mapping[str, SourcedValue]) -> int:
        return weight(settings) + weight(setting.value for setting in settings.values())

    def _shown(self, host: str) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        for name, setting in self.settings(host).items():
            if name in ANSIBLES_OWN:
                continue
            try:
                shown[name] = to_json(setting.value)
            except TypeError as error:
                message = "has binary data, or a key that is not a string, which JSON cannot represent"
                raise InventoryError([self.problem(host, message, name)]) from error
        return shown

    def _group_settings(self, groups: tuple[str, ...]) -> dict[str, SourcedValue]:
        """Return the variables of ``all`` and ``groups``, merged once for all hosts of the same groups."""
        known = self._merged.get(groups)
        if known is None:
            ranked = [self.groups[name] for name in ("all", *groups)]
            known = {}
            for variables in [*(group.inline for group in ranked), *(group.filed for group in ranked)]:
                known.update(variables)
            self._merged[groups] = known
        return known

    @cached_property
    def _rivals(self) -> dict[tuple[tuple[str, ...], str], tuple[SourcedValue, SourcedValue] | None]:
        return {}

    @cached_property
    def _merged(self) -> dict[tuple[str, ...], dict[str, SourcedValue]]:
        return {}

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
        direct: dict[str, set[str]] = {host: set() for host in self.entries}
        for group in self.groups.values():
            for host in group.hosts:
                direct[host].add(group.name)
        ranked: dict[frozenset[str], tuple[str, ...]] = {}
        return {host: self._ranked(frozenset(groups), ranked) for host, groups in direct.items()}

    def _ranked(self, groups: frozenset[str], known: dict[frozenset[str], tuple[str, ...]]) -> tuple[str, ...]:
        if groups not in known:
            order = sorted(
                self._lineage(groups) - {"all"}, key=lambda name: (self._depths[name], self.groups[name].priority, name)
            )
            known[groups] = tuple(order)
        return known[groups]

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
