"""Documents about an inventory: the lists and graphs of ``ansible-inventory``, and the JSON Schema of the variables."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from dataclasses import MISSING
from itertools import islice
from typing import Any

from venue_access.errors import InventoryError, Problem
from venue_access.inventory.documents import parse
from venue_access.inventory.groups import Inventory, UnsafeText, Vaulted
from venue_access.inventory.schema import FIELDS
from venue_access.inventory.value_types import or_null

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


def to_list(inventory: Inventory) -> dict[str, Any]:
    """Return the document of ``ansible-inventory --list``.

    :raises InventoryError: JSON cannot represent a value, as for Ansible.
    """
    document: dict[str, Any] = {}
    for group in inventory.groups.values():
        about: dict[str, list[str]] = {}
        if group.children:
            about["children"] = list(group.children)
        if group.hosts and group.name != "all":
            about["hosts"] = list(group.hosts)
        if about:
            document[group.name] = about
    hostvars: dict[str, dict[str, Any]] = {}
    for host in inventory.hosts:
        for name, setting in inventory.settings(host).items():
            if name not in ANSIBLES_OWN:
                try:
                    hostvars.setdefault(host, {})[name] = _to_json(setting.value)
                except TypeError as error:
                    message = "has binary data, or a key that is not a string, which JSON cannot represent"
                    raise InventoryError([inventory.problem(host, message, name)]) from error
    return {"_meta": {"hostvars": hostvars, "profile": "inventory_legacy"}, **document}


def _to_json(value: Any) -> Any:
    """Return a value as ``ansible-inventory --list`` writes it: unsafe and vaulted strings wrapped, dates as ISO 8601.

    :raises TypeError: JSON cannot represent it: binary data, or a key that is a date.
    """
    if isinstance(value, UnsafeText):
        return {"__ansible_unsafe": str(value)}
    if isinstance(value, Vaulted):
        return {"__ansible_vault": value.ciphertext}
    if isinstance(value, dict):
        return {key if isinstance(key, str) else json.dumps(key): _to_json(part) for key, part in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_to_json(part) for part in value]
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, bytes):
        raise TypeError
    return value


def graph(inventory: Inventory) -> str:
    """Return the tree of ``ansible-inventory --graph``."""
    lines = list(islice(_branch(inventory, "all", 0), _LONGEST_GRAPH + 1))
    if len(lines) > _LONGEST_GRAPH:  # a group is drawn wherever it is a child, and all that is below it
        raise InventoryError([Problem(f"the graph has more than {_LONGEST_GRAPH} lines", inventory.path)])
    return "\n".join(lines)


def _branch(inventory: Inventory, name: str, depth: int) -> Iterator[str]:
    indent = "  |" * depth + "--" if depth else ""
    yield f"{indent}@{name}:"
    for child in inventory.groups[name].children:
        yield from _branch(inventory, child, depth + 1)
    if name != "all":
        yield from ("  |" * (depth + 1) + f"--{host}" for host in inventory.groups[name].hosts)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the variables in a file, such as ``group_vars/all.yml``.

    No variable is required, as another file may have it; ``#/$defs/venue`` adds what all
    variables of a venue together need.
    """
    properties: dict[str, Any] = {}
    for name, each in FIELDS.items():
        schema = or_null(each.metadata["type"].schema)
        schema["description"] = each.metadata["meaning"]
        schema["examples"] = [parse(f"value: {each.metadata['example']}")["value"]]
        if each.metadata["default"] is None and each.default is not MISSING:
            schema["default"] = list(each.default) if isinstance(each.default, tuple) else each.default
        properties[name] = schema
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Variables of a venue",
        "type": ["object", "null"],
        "properties": properties,
        "$defs": {
            "venue": {
                "required": ["project", "account_id", "region"],
                "anyOf": [
                    {"required": ["trusted_principals"]},
                    {"required": ["emulator"], "properties": {"emulator": {"const": True}}},
                ],
            }
        },
    }
