"""The groups, hosts and variables of an inventory, with Ansible's order and precedence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from venue_access.errors import InventoryError, Problem
from venue_access.inventory.limits import DEEPEST_GROUP, MOST_GIVEN, LimitExceeded, weight_of_all
from venue_access.inventory.values import SourcedValue, to_json

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


@dataclass(frozen=True)
class Inventory:
    """What ``load_inventory`` read.

    ``groups`` holds ``all`` and ``ungrouped`` always, and every other group is below ``all``; ``entries`` holds
    the hosts as they were written. ``unused`` are files of ``group_vars/`` and ``host_vars/`` that name nothing
    in the inventory: probably a slip, worth a warning.
    """

    path: Path
    groups: Mapping[str, Group]
    entries: Mapping[str, Host]
    unused: tuple[Path, ...] = ()

    @cached_property
    def hosts(self) -> tuple[str, ...]:
        """The names of all hosts in Ansible's order."""
        return self.group_hosts("all")

    def group_hosts(self, name: str) -> tuple[str, ...]:
        """The hosts of a group and of all below it: its own first, then those of its children, level by level."""
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

    def groups_of(self, host: str) -> tuple[str, ...]:
        """The groups of a host except ``all``, weakest first: by depth, priority, name."""
        return self._memberships[host]

    def host_variables(self, host: str) -> dict[str, Any]:
        """The variables of a host by Ansible's precedence; a value replaces a weaker one, it never merges."""
        return {name: setting.value for name, setting in self.settings(host).items()}

    def origin(self, host: str, variable: str) -> Path | None:
        """The file that gave a host's variable its value; None where the host has no such variable."""
        setting = self.settings(host).get(variable)
        return setting.file if setting else None

    def settings(self, host: str) -> dict[str, SourcedValue]:
        """The variables of a host with the file each comes from.

        Low to high: inline vars of ``all``, inline vars of its groups, ``group_vars/all``, ``group_vars/<group>``,
        inline host vars, ``host_vars/<host>``. Source: Ansible's "Using variables", understanding precedence, and
        its setting VARIABLE_PRECEDENCE.
        """
        entry = self.entries[host]
        return {**self._group_settings(self._memberships[host]), **entry.inline, **entry.filed}

    def to_list(self) -> dict[str, Any]:
        """The document of ``ansible-inventory --list``.

        :raises InventoryError: a value has no form in JSON, as for Ansible.
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
        """The tree of ``ansible-inventory --graph``."""
        lines = list(islice(self._branch("all", 0), _LONGEST_GRAPH + 1))
        if len(lines) > _LONGEST_GRAPH:  # a group is drawn wherever it is a child, and all that is below it
            raise InventoryError([Problem(f"the graph has more than {_LONGEST_GRAPH} lines", self.path)])
        return "\n".join(lines)

    def check_size(self) -> None:
        """Refuse an inventory that is too deep, or whose variables come to too much when each host has its own.

        :raises LimitExceeded: it is.
        """
        if max(self._depths.values()) > DEEPEST_GROUP:
            raise LimitExceeded(f"its groups are nested more than {DEEPEST_GROUP} deep")
        total, known = 0, dict[tuple[str, ...], int]()
        for host in self.hosts:
            groups = self._memberships[host]
            if groups not in known:
                known[groups] = self._weight(self._group_settings(groups))
            entry = self.entries[host]
            total += known[groups] + self._weight(entry.inline) + self._weight(entry.filed)
            if total > MOST_GIVEN:
                raise LimitExceeded(f"the variables of all hosts come to more than {MOST_GIVEN} characters")

    def _branch(self, name: str, depth: int) -> Iterator[str]:
        indent = "  |" * depth + "--" if depth else ""
        yield f"{indent}@{name}:"
        for child in self.groups[name].children:
            yield from self._branch(child, depth + 1)
        if name != "all":
            yield from ("  |" * (depth + 1) + f"--{host}" for host in self.groups[name].hosts)

    def _weight(self, settings: Mapping[str, SourcedValue]) -> int:
        return weight_of_all(settings) + weight_of_all(setting.value for setting in settings.values())

    def _shown(self, host: str) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        for name, setting in self.settings(host).items():
            if name in ANSIBLES_OWN:
                continue
            try:
                shown[name] = to_json(setting.value)
            except TypeError as error:
                message = "holds binary data, or a key that is no text, for which JSON has no form"
                raise InventoryError([Problem(message, setting.file, host, name)]) from error
        return shown

    def _group_settings(self, groups: tuple[str, ...]) -> dict[str, SourcedValue]:
        """The merged variables of ``all`` and ``groups``, merged once for all hosts of the same groups."""
        known = self._merged.get(groups)
        if known is None:
            ranked = [self.groups[name] for name in ("all", *groups)]
            known = {}
            for variables in [*(group.inline for group in ranked), *(group.filed for group in ranked)]:
                known.update(variables)
            self._merged[groups] = known
        return known

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
        """The longest way from ``all`` to each group."""
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
            lineage: set[str] = set()
            waiting = list(groups)
            while waiting:
                name = waiting.pop()
                if name not in lineage:
                    lineage.add(name)
                    waiting.extend(self._parents[name])
            order = sorted(lineage - {"all"}, key=lambda name: (self._depths[name], self.groups[name].priority, name))
            known[groups] = tuple(order)
        return known[groups]
