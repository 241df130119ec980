"""Reads an Ansible-style YAML inventory from disk: the one door to PyYAML.

Agrees with ``ansible-inventory`` on groups, hosts and variables; what it does not read (other formats, inventory
plugins, vaulted files) is an error that says so. Source: ansible-core 2.19, parsing/utils/yaml.py and
_internal/_yaml/.
"""

from __future__ import annotations

import json
import os
import re
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from venue_access.errors import InventoryError, Problem
from venue_access.inventory.builder import DEEPEST, Builder
from venue_access.inventory.folders import VarsFolder, sources
from venue_access.inventory.tree import Inventory
from venue_access.inventory.values import UnsafeText, Vaulted

_LARGEST = 8 * 1024 * 1024
_MOST_VALUES = 1_000_000


def load_inventory(path: Path) -> Inventory:
    """Read the inventory at ``path``: a YAML file, or a folder whose YAML files are merged in the order of names.

    ``group_vars/`` and ``host_vars/`` are looked for beside the file, or in the folder.

    :raises InventoryError: it cannot be read, or is not what Ansible's YAML inventory plugin takes; every problem
        found is in it.
    """
    builder = Builder()
    problems = builder.problems
    read = partial(_read, problems=problems)
    documents = [(read(file), file) for file in sources(path, problems)]
    for document, file in documents:
        if document:
            builder.add(document, file)
    if not any(document for document, _ in documents) and not problems:
        problems.append(Problem("is empty; expected groups, such as 'all:' with 'hosts:' below it", file=path))
    builder.reconcile()
    folder = path if os.path.isdir(path) else path.parent
    group_vars = VarsFolder(folder / "group_vars", read, problems)
    host_vars = VarsFolder(folder / "host_vars", read, problems)
    groups, hosts = builder.groups(group_vars.settings), builder.hosts(host_vars.settings)
    if problems:
        raise InventoryError(problems)
    return Inventory(path, groups, hosts, unused=(*group_vars.unused(), *host_vars.unused()))


def _read(file: Path, problems: list[Problem]) -> Any:
    """The document in ``file``; None, and a problem, where there is none to be had."""
    try:
        return parse(_text(file))
    except (OSError, ValueError) as error:
        message = (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)
        problems.append(Problem(f"cannot be read: {message}", file=file))
    return None


def _text(file: Path) -> str:
    if not file.is_file():
        raise ValueError("it is no regular file")
    if file.stat().st_size > _LARGEST:
        raise ValueError(f"it is larger than {_LARGEST // 1024 // 1024} MiB")
    try:
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 text (byte {error.start})") from error


def parse(text: str) -> Any:
    """The one document of a YAML or JSON text, as Ansible reads it: JSON where it is JSON, or else YAML 1.1.

    :raises ValueError: it is malformed, vaulted, has a key twice, or would blow up.
    """
    if text.startswith("$ANSIBLE_VAULT"):
        raise ValueError("it is encrypted with Ansible Vault, and vaulted files are not decrypted here")
    document = _parse_json(text) if text.lstrip()[:1] in ("{", "[") else None
    if document is None:
        document = _parse_yaml(text)
    _refuse_bombs(document)
    return document


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_json_mapping)
    except (json.JSONDecodeError, RecursionError):
        return None  # perhaps YAML in flow style; nested too deep it fails there as well


def _json_mapping(pairs: list[tuple[str, Any]]) -> Any:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"it has the key {next(name for name in names if names.count(name) > 1)!r} twice")
    if isinstance(mapping.get("__ansible_unsafe"), str):
        return UnsafeText(mapping["__ansible_unsafe"])
    if isinstance(mapping.get("__ansible_vault"), str):
        return Vaulted(mapping["__ansible_vault"])
    return mapping


def _parse_yaml(text: str) -> Any:
    try:
        _refuse_deep(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - _Loader is a SafeLoader
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


def _refuse_deep(text: str) -> None:
    """Refuse nesting that libyaml's composer, which recurses in C, would crash on.

    The depth is counted only where the text could be deep: brackets, dashes in a row, or indentation.
    """
    if text.count("[") + text.count("{") < 1000 and not re.search(r"^[\s?:-]{1000}", text, re.MULTILINE):
        return
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST:
            raise RecursionError


def _refuse_bombs(document: object) -> None:
    """Refuse a document that is nested in itself, too deep, or that aliases multiply beyond use."""
    waiting = [(document, 0)]
    count = 0
    while waiting:
        value, depth = waiting.pop()
        count += 1
        if depth > DEEPEST:
            raise ValueError("it is nested too deep, or within itself")
        if count > _MOST_VALUES:
            raise ValueError(f"its aliases (*name) multiply it to more than {_MOST_VALUES} values")
        if isinstance(value, dict):
            waiting.extend((part, depth + 1) for part in value.values())
        elif isinstance(value, (list, tuple, set)):
            waiting.extend((part, depth + 1) for part in value)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # chosen at run time
    """YAML 1.1 with Ansible's tags, refusing a key given twice."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._checked: set[int] = set()
        self._merging: set[int] = set()

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
            if len(node.value) > 10_000:
                raise ValueError("its merges (<<) multiply it to more than 10000 keys")


def _unsafe(loader: Any, node: yaml.Node) -> Any:
    value = _retagged(loader, node)
    return _as_unsafe(value)


def _as_unsafe(value: Any) -> Any:
    if isinstance(value, str):
        return UnsafeText(value)
    if isinstance(value, dict):
        return {_as_unsafe(key): _as_unsafe(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_as_unsafe(part) for part in value]
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


_Loader.add_constructor("!unsafe", _unsafe)
_Loader.add_constructor("!vault", _vaulted)
_Loader.add_constructor("!vault-encrypted", _vaulted)
