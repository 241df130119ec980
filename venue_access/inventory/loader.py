"""Reads an Ansible-style YAML inventory from disk: the one door to PyYAML.

Agrees with ``ansible-inventory`` on groups, hosts and variables; what it does not read (other formats, inventory
plugins, vaulted files) is an error that says so. Source: ansible-core 2.19, parsing/utils/yaml.py and
_internal/_yaml/.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from venue_access.errors import InventoryError, Problem
from venue_access.files import read_regular
from venue_access.inventory.group_builder import DEEPEST, Builder
from venue_access.inventory.groups import Inventory
from venue_access.inventory.limits import LARGEST_FILE, LONGEST_NUMBER, MOST_VALUES, LimitExceeded, Limits
from venue_access.inventory.values import UnsafeText, Vaulted
from venue_access.inventory.vars_files import VarsFolder, sources

_MOST_DIRECTIVES = 100


def load_inventory(path: Path) -> Inventory:
    """Read the inventory at ``path``: a YAML file, or a folder whose YAML files are merged in the order of names.

    ``group_vars/`` and ``host_vars/`` are looked for beside the file, or in the folder.

    :raises InventoryError: it cannot be read, or is not what Ansible's YAML inventory plugin takes; every problem
        found is in it.
    """
    builder = Builder()
    try:
        inventory = _loaded(path, builder)
        inventory.check_size()
    except LimitExceeded as error:
        raise InventoryError([*builder.problems, Problem(str(error), file=path)]) from error
    if builder.problems:
        raise InventoryError(builder.problems)
    return inventory


def _loaded(path: Path, builder: Builder) -> Inventory:
    problems, allowance = builder.problems, Limits()
    read = partial(_read, problems=problems, allowance=allowance)
    documents = [(read(file), file) for file in sources(path, problems, allowance)]
    for document, file in documents:
        if document:
            builder.add(document, file)
    if not any(document for document, _ in documents) and not problems:
        problems.append(Problem("is empty; expected groups, such as 'all:' with 'hosts:' below it", file=path))
    builder.reconcile()
    folder = path if os.path.isdir(path) else path.parent
    group_vars = VarsFolder(folder / "group_vars", read, problems, allowance)
    host_vars = VarsFolder(folder / "host_vars", read, problems, allowance)
    groups, hosts = builder.groups(group_vars.settings), builder.hosts(host_vars.settings)
    return Inventory(path, groups, hosts, unused=(*group_vars.unused(), *host_vars.unused()))


def _read(file: Path, problems: list[Problem], allowance: Limits) -> Any:
    """The document in ``file``; None, and a problem, where there is none to be had."""
    try:
        return parse(_text(file, allowance), allowance)
    except LimitExceeded as error:
        raise LimitExceeded(f"cannot be read: {file.name}: {error}") from error
    except (OSError, ValueError) as error:
        message = (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)
        problems.append(Problem(f"cannot be read: {message}", file=file))
    return None


def _text(file: Path, allowance: Limits) -> str:
    content = read_regular(file, most=LARGEST_FILE)
    allowance.take_bytes(len(content))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 text (byte {error.start})") from error


def parse(text: str, allowance: Limits | None = None) -> Any:
    """The one document of a YAML or JSON text, as Ansible reads it: JSON where it is JSON, or else YAML 1.1.

    :param allowance: what is left of the limits of the inventory that it belongs to.
    :raises ValueError: it is malformed, vaulted, has a key twice, or would blow up.
    """
    allowance = allowance or Limits()
    if text.startswith("$ANSIBLE_VAULT"):
        raise ValueError("it is encrypted with Ansible Vault, and vaulted files are not decrypted here")
    document = _parse_json(text) if text.lstrip()[:1] in ("{", "[") else None
    if document is None:
        document = _parse_yaml(text, allowance.values)
    allowance.take_values(_count(document))
    return document


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_json_mapping, parse_int=_number)
    except (json.JSONDecodeError, RecursionError):
        return None  # perhaps YAML in flow style; nested too deep it fails there as well


def _json_mapping(pairs: list[tuple[str, Any]]) -> Any:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(f"it has the key {twice!r} twice")
    if isinstance(mapping.get("__ansible_unsafe"), str):
        return UnsafeText(mapping["__ansible_unsafe"])
    if isinstance(mapping.get("__ansible_vault"), str):
        return Vaulted(mapping["__ansible_vault"])
    return mapping


def _number(text: str) -> int:
    if len(text) > LONGEST_NUMBER:
        raise ValueError(f"it holds a number of more than {LONGEST_NUMBER} digits")
    return int(text)


def _parse_yaml(text: str, most: int) -> Any:
    try:
        if text.count("\n%") > _MOST_DIRECTIVES:  # libyaml takes time that grows with their square
            raise ValueError(f"it has more than {_MOST_DIRECTIVES} lines that begin with %")
        loader = _Loader(text, most)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except LimitExceeded:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise ValueError(", ".join(filter(None, [error.context, error.problem])) + where) from error
    except yaml.reader.ReaderError as error:
        raise ValueError(f"it holds a character that YAML does not allow, at position {error.position}") from error
    except RecursionError as error:
        raise ValueError("it is nested too deep, or within itself") from error
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, OverflowError) as error:
        # PyYAML's constructors fail so on a scalar that does not fit its tag, such as !!bool maybe
        raise ValueError(f"it is no YAML: {error}") from error


def _count(document: object) -> int:
    """How many values a document comes to; refuses one nested in itself, too deep, or multiplied beyond use."""
    waiting = [(document, 0)]
    count = 0
    while waiting:
        value, depth = waiting.pop()
        count += 1
        if depth > DEEPEST:
            raise ValueError("it is nested too deep, or within itself")
        if count > MOST_VALUES:
            raise LimitExceeded(f"its aliases (*name) multiply it to more than {MOST_VALUES} values")
        if isinstance(value, dict):
            waiting.extend((part, depth + 1) for part in value.values())
        elif isinstance(value, (list, tuple, set)):
            waiting.extend((part, depth + 1) for part in value)
    return count


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # chosen at run time
    """YAML 1.1 with Ansible's tags, refusing a key given twice, and what is nested deep or never ends.

    :param most: how many values it may hold.
    """

    def __init__(self, stream: str, most: int) -> None:
        super().__init__(stream)
        self._most = most
        self._depth = 0
        self._merged = 0
        self._checked: set[int] = set()
        self._merging: set[int] = set()

    def descend_resolver(self, current_node: Any, current_index: Any) -> None:
        """Called before each node, also by libyaml's composer, which would crash where it recurses too deep."""
        self._depth += 1
        self._most -= 1
        if self._depth > DEEPEST + 2:
            raise RecursionError
        if self._most < 0:
            raise LimitExceeded(f"it has more than {MOST_VALUES} values")

    def ascend_resolver(self) -> None:
        """Called after each node."""
        self._depth -= 1

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Merge ``<<`` keys; before that, and so on the node as it was written, refuse a key given twice."""
        if id(node) in self._merging:
            raise RecursionError
        if id(node) in self._checked:
            return
        self._checked.add(id(node))
        keys: set[tuple[str, str]] = set()
        merges = False
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in keys:
                    problem = f"the key {key.value!r} is given twice"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                keys.add((key.tag, key.value))
                if key.tag == "tag:yaml.org,2002:merge":
                    merges = True
                    if isinstance(value, yaml.SequenceNode) and len(value.value) > 100:
                        raise ValueError("it merges (<<) more than 100 mappings into one")
        if merges:
            self._merging.add(id(node))
            super().flatten_mapping(node)
            self._merging.discard(id(node))
            self._merged += len(node.value)
            if len(node.value) > 10_000 or self._merged > MOST_VALUES:
                raise LimitExceeded("its merges (<<) multiply it to too many keys")


def _whole_number(loader: Any, node: yaml.ScalarNode) -> Any:
    if len(node.value) > LONGEST_NUMBER:
        raise ValueError(f"it holds a number of more than {LONGEST_NUMBER} digits")
    return yaml.SafeLoader.construct_yaml_int(loader, node)


def _unsafe(loader: Any, node: yaml.Node) -> Any:
    return _as_unsafe(_retagged(loader, node), {})


def _as_unsafe(value: Any, made: dict[int, Any]) -> Any:
    """``value`` with its texts unsafe; a part that stands in it several times is ``made`` once."""
    if isinstance(value, str):
        return UnsafeText(value)
    if id(value) in made:
        return made[id(value)]
    if isinstance(value, dict):
        mapping = made[id(value)] = {}
        mapping.update((_as_unsafe(key, made), _as_unsafe(part, made)) for key, part in value.items())
        return mapping
    if isinstance(value, list):
        parts = made[id(value)] = []
        parts.extend(_as_unsafe(part, made) for part in value)
        return parts
    return value


def _vaulted(loader: Any, node: yaml.Node) -> Vaulted:
    value = _retagged(loader, node)
    if not isinstance(value, str):
        raise yaml.constructor.ConstructorError(None, None, "the tag !vault requires a text", node.start_mark)
    return Vaulted(value)


def _retagged(loader: Any, node: yaml.Node) -> Any:
    """The value that ``node`` would have without its tag."""
    bare = type(node)(loader.resolve(type(node), node.value, (True, False)), node.value, node.start_mark, node.end_mark)
    return loader.construct_object(bare, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:int", _whole_number)
_Loader.add_constructor("!unsafe", _unsafe)
_Loader.add_constructor("!vault", _vaulted)
_Loader.add_constructor("!vault-encrypted", _vaulted)
