"""Parse the YAML and JSON documents of an inventory, with the line of each key. The only module that imports PyYAML.

Source: ansible-core 2.19, parsing/utils/yaml.py and _internal/_yaml/.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import yaml

from venue_access.inventory.groups import (
    MAX_DEPTH,
    MAX_DIGITS,
    MAX_VALUES,
    LimitExceeded,
    Limits,
    LocatedDict,
    UnsafeText,
    Vaulted,
)

if TYPE_CHECKING:
    from yaml import SafeLoader as _BaseLoader
else:  # libyaml's, several times as fast, if PyYAML has it
    _BaseLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_MAX_DIRECTIVES = 100
_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_JSON_TOKEN = re.compile(r'[{}]|"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?', re.DOTALL)
_COLON = re.compile(r":(?=\s|$)")


class MalformedDocument(ValueError):
    """A text that is not one YAML or JSON document; ``line`` is where, if known."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


def parse(text: str, limits: Limits | None = None) -> Any:
    """Return the one document of a text as Ansible reads it: JSON if it is valid JSON, else YAML 1.1.

    :param limits: the limits that the text's inventory has left.
    :returns: its mappings are ``LocatedDict``.
    :raises MalformedDocument: it is malformed, vaulted, has a duplicate key, or expands to too much.
    """
    limits = limits or Limits()
    if text.startswith("$ANSIBLE_VAULT"):
        raise MalformedDocument("it is encrypted with Ansible Vault, and vaulted files are not decrypted here")
    document = _parse_json(text) if text.lstrip()[:1] in ("{", "[") else None
    if document is None:
        document = _parse_yaml(text, limits.values)
    limits.take(values=_count(document))
    return document


def _parse_json(text: str) -> Any:
    """Return a JSON document, or None for what is not JSON and perhaps YAML in flow style.

    Python's decoder gives no positions. Objects are collected in the order in which they close, and a second pass
    over the text finds their keys in the same order.
    """
    objects: list[tuple[LocatedDict, list[str]]] = []

    def collect(pairs: list[tuple[str, Any]]) -> Any:
        mapping = LocatedDict(pairs)
        objects.append((mapping, [name for name, _ in pairs] if len(pairs) > len(mapping) else []))
        if isinstance(mapping.get("__ansible_unsafe"), str):
            return UnsafeText(mapping["__ansible_unsafe"])
        if isinstance(mapping.get("__ansible_vault"), str):
            return Vaulted(mapping["__ansible_vault"])
        return mapping

    try:
        document = json.loads(text, object_pairs_hook=collect, parse_int=_number)
    except (json.JSONDecodeError, RecursionError):  # what is nested too deep fails as YAML too
        return None
    for (mapping, names), lines in zip(objects, _lines_of_objects(text), strict=True):
        if names:
            twice = next(name for name, count in Counter(names).items() if count > 1)
            where = [line for name, line in zip(names, lines, strict=True) if name == twice][1]
            raise MalformedDocument(f"duplicate key {twice!r}", where)
        mapping.lines = dict(zip(mapping, lines, strict=True))
    return document


def _lines_of_objects(text: str) -> list[list[int]]:
    """Return the lines of the keys of each JSON object, in the order in which the objects close."""
    found: list[list[int]] = []
    opened: list[list[int]] = []
    line, counted = 1, 0
    for token in _JSON_TOKEN.finditer(text):
        if token[0] == "{":
            opened.append([])
        elif token[0] == "}":
            found.append(opened.pop())
        elif token[1]:
            line += text.count("\n", counted, token.start())
            counted = token.start()
            opened[-1].append(line)
    return found


def _number(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise MalformedDocument(f"it has a number of more than {MAX_DIGITS} digits")
    return int(text)


def _parse_yaml(text: str, limit: int) -> Any:
    try:
        if text.count("\n%") > _MAX_DIRECTIVES:  # libyaml takes time that grows with their square
            raise MalformedDocument(f"it has more than {_MAX_DIRECTIVES} lines that begin with %")
        loader = _Loader(text, limit)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except (LimitExceeded, MalformedDocument):
        raise
    except yaml.MarkedYAMLError as error:
        raise _malformed(error, text) from error
    except yaml.reader.ReaderError as error:
        line = len(_LINE_BREAK.findall(text, 0, error.position)) + 1 if isinstance(error.position, int) else None
        raise MalformedDocument("it has a character that YAML does not allow", line) from error
    except RecursionError as error:
        raise MalformedDocument("it is nested too deep, or within itself") from error
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, OverflowError) as error:
        # PyYAML's constructors fail so on a scalar that does not fit its tag, such as !!bool maybe
        raise MalformedDocument(f"it is not valid YAML: {error}") from error


def _malformed(error: yaml.MarkedYAMLError, text: str) -> MalformedDocument:
    """Return what is wrong in the words of the person who wrote the text; the text itself is not repeated."""
    mark = error.problem_mark or error.context_mark
    reason = ", ".join(filter(None, [error.context, error.problem]))
    if error.problem and error.problem.startswith("found unhashable key"):
        reason = "a key is a mapping or a list; put a value that begins with '{' in quotes"
    if mark is None:
        return MalformedDocument(reason)
    lines = _LINE_BREAK.split(text)
    marked = lines[mark.line] if mark.line < len(lines) else ""
    if "\t" in marked[: len(marked) - len(marked.lstrip())]:
        return MalformedDocument("the line is indented with a tab; YAML takes only spaces", mark.line + 1)
    if error.problem == "could not find expected ':'" and error.context_mark is not None:
        return MalformedDocument("a colon is missing: expected 'name: value' or 'name:'", error.context_mark.line + 1)
    if error.problem == "mapping values are not allowed in this context":
        colon = _COLON.search(marked)
        if colon is not None and colon.start() < mark.column:
            return MalformedDocument("a value has another ': ' in it; put the value in quotes", mark.line + 1)
        for number in range(mark.line, 0, -1):
            line = lines[number - 1].strip()
            if line and not line.startswith("#"):
                if not _COLON.search(line):
                    return MalformedDocument("a colon is missing at the end of the line, or after the name", number)
                break
    if error.context_mark is not None and error.context_mark.line != mark.line:
        reason += f" (it begins on line {error.context_mark.line + 1})"
    return MalformedDocument(reason, mark.line + 1)


def _count(document: object) -> int:
    """Return the number of values in a document, aliases expanded.

    :raises MalformedDocument: it is nested too deep or within itself.
    :raises LimitExceeded: there are too many.
    """
    waiting = [(document, 0)]
    count = 0
    while waiting:
        value, depth = waiting.pop()
        count += 1
        if depth > MAX_DEPTH:
            raise MalformedDocument("it is nested too deep, or within itself")
        if count > MAX_VALUES:
            raise LimitExceeded(f"its aliases (*name) multiply it to more than {MAX_VALUES} values")
        if isinstance(value, dict):
            waiting.extend((part, depth + 1) for part in value.values())
        elif isinstance(value, (list, tuple, set)):
            waiting.extend((part, depth + 1) for part in value)
    return count


class _Loader(_BaseLoader):
    """YAML 1.1 with Ansible's tags, which refuses a duplicate key and a document that nests too deep or never ends.

    :param limit: how many values it may have.
    """

    def __init__(self, stream: str, limit: int) -> None:
        super().__init__(stream)
        self._left = limit
        self._depth = 0
        self._merged = 0
        self._checked: set[int] = set()
        self._merging: set[int] = set()

    def descend_resolver(self, current_node: Any, current_index: Any) -> None:
        """Called before each node, also by libyaml's composer, which would crash where it recurses too deep."""
        self._depth += 1
        self._left -= 1
        if self._depth > MAX_DEPTH + 2:
            raise RecursionError
        if self._left < 0:
            raise LimitExceeded(f"it has more than {MAX_VALUES} values")

    def ascend_resolver(self) -> None:
        """Called after each node."""
        self._depth -= 1

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Merge ``<<`` keys. Before that, refuse a duplicate key in the node as it is written."""
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
                    raise MalformedDocument(f"duplicate key {key.value!r}", key.start_mark.line + 1)
                keys.add((key.tag, key.value))
                if key.tag == "tag:yaml.org,2002:merge":
                    merges = True
                    if isinstance(value, yaml.SequenceNode) and len(value.value) > 100:
                        raise MalformedDocument(
                            "it merges (<<) more than 100 mappings into one", key.start_mark.line + 1
                        )
        if merges:
            self._merging.add(id(node))
            super().flatten_mapping(node)
            self._merging.discard(id(node))
            self._merged += len(node.value)
            if len(node.value) > 10_000 or self._merged > MAX_VALUES:
                raise LimitExceeded("its merges (<<) multiply it to too many keys")


def _mapping(loader: Any, node: yaml.MappingNode) -> Any:
    mapping = LocatedDict()
    yield mapping
    mapping.update(loader.construct_mapping(node))
    for key, value in node.value:
        line = key.start_mark.line
        if isinstance(value, yaml.ScalarNode):  # of an alias it is an earlier line
            line = max(line, value.start_mark.line)
        mapping.lines[loader.construct_object(key)] = line + 1


def _whole_number(loader: Any, node: yaml.ScalarNode) -> Any:
    if len(node.value) > MAX_DIGITS:
        raise MalformedDocument(f"it has a number of more than {MAX_DIGITS} digits", node.start_mark.line + 1)
    return yaml.SafeLoader.construct_yaml_int(loader, node)


def _unsafe(loader: Any, node: yaml.Node) -> Any:
    return _as_unsafe(_retagged(loader, node), {})


def _as_unsafe(value: Any, made: dict[int, Any]) -> Any:
    """Return ``value`` with its strings unsafe. A part that occurs several times is converted once: see ``made``."""
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
        raise yaml.constructor.ConstructorError(None, None, "the tag !vault requires a string", node.start_mark)
    return Vaulted(value)


def _retagged(loader: Any, node: yaml.Node) -> Any:
    """Return the value that ``node`` would have without its tag."""
    bare = type(node)(loader.resolve(type(node), node.value, (True, False)), node.value, node.start_mark, node.end_mark)
    return loader.construct_object(bare, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("tag:yaml.org,2002:int", _whole_number)
_Loader.add_constructor("!unsafe", _unsafe)
_Loader.add_constructor("!vault", _vaulted)
_Loader.add_constructor("!vault-encrypted", _vaulted)
