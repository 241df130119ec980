"""Read an Ansible-style YAML inventory from disk.

Agrees with ``ansible-inventory`` on groups, hosts and variables. What it does not read (other formats, inventory
plugins, vaulted files) is an error. Source: ansible-core 2.19, inventory/manager.py,
plugins/vars/host_group_vars.py, parsing/dataloader.py.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from venue_access.errors import InventoryError, Problem
from venue_access.files import read_regular
from venue_access.inventory.documents import MalformedDocument, parse
from venue_access.inventory.group_builder import GroupBuilder
from venue_access.inventory.groups import (
    MAX_FILE_BYTES,
    Group,
    Host,
    Inventory,
    LimitExceeded,
    Limits,
    LocatedDict,
    SourcedValue,
    kind,
    line_of,
)

_VARS_FOLDERS = ("group_vars", "host_vars")
_ENDINGS = ("", ".yml", ".yaml", ".json")
_IGNORED = re.compile(
    r"^\.|^(host_vars|group_vars|vars_plugins)$|(\.pyc|\.pyo|\.swp|\.bak|~|\.rpm|\.md|\.txt|\.rst|\.orig|\.cfg|\.retry)$"
)
_WRONG_ENDING = re.compile(r"(?!\.)(.+\.(?:yml|yaml|json))\.txt", re.IGNORECASE)
"""Notepad's ending after another, which hides a file from Ansible without a word."""

_Folders = tuple[tuple[int, int], ...]
"""Folders by device and inode: the path from the inventory to one of them, links resolved."""


def load_inventory(path: Path) -> Inventory:
    """Read the inventory at ``path``: a YAML file, or a folder whose YAML files are merged in the order of names.

    ``group_vars/`` and ``host_vars/`` are looked for beside the file, or in the folder.

    :raises InventoryError: it cannot be read, or Ansible's YAML inventory plugin would not take it; with every problem.
    """
    reader = _Reader()
    try:
        inventory = reader.inventory(path)
        inventory.check_size()
    except LimitExceeded as error:
        raise InventoryError([*reader.problems, Problem(str(error), reader.file or path)]) from error
    if reader.problems:
        raise InventoryError([*reader.problems, *reader.warnings])
    return inventory


class _Reader:
    """Read the files of one inventory within its limits, and collect problems and warnings."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.file: Path | None = None
        """The file that is being read."""
        self._limits = Limits()

    def inventory(self, path: Path) -> Inventory:
        """Return the inventory at ``path``, as far as it can be read."""
        builder = GroupBuilder(self.problems)
        empty = True
        for file in self._sources(path):
            document = self._document(file)
            if document:
                empty = False
                builder.add(document, file)
        if empty and not self.problems:
            self._problem("is empty; expected groups, such as 'all:' with 'hosts:' below it", path)
        builder.finish()
        folder = path
        if not os.path.isdir(path):
            folder = path.parent
            self._warn_of_misnamed_folders(folder)
        self._read_variables(folder / "group_vars", builder.groups)
        self._read_variables(folder / "host_vars", builder.hosts)
        return Inventory(path, builder.groups, builder.hosts, warnings=tuple(self.warnings))

    def _problem(self, message: str, file: Path, line: int | None = None) -> None:
        self.problems.append(Problem(message, file, line=line))

    def _document(self, file: Path) -> Any:
        """Return the document in a file, or None after a problem."""
        self.file = file
        try:
            content = read_regular(file, most=MAX_FILE_BYTES)
            self._limits.take(size=len(content))
            text = content.decode("utf-8-sig")
            document = parse(text, self._limits)
        except LimitExceeded:
            raise
        except UnicodeDecodeError as error:
            self._problem(f"cannot be read: it is not UTF-8 text (byte {error.start})", file)
        except MalformedDocument as error:
            self._problem(str(error), file, error.line)
        except (OSError, ValueError) as error:
            message = (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)
            self._problem(f"cannot be read: {message}", file)
        else:
            self.file = None
            if not isinstance(document, str) or not document:
                return document
            lines = enumerate(text.splitlines(), 1)
            first = next((number for number, line in lines if line.strip() and line.strip()[0] not in "#%-"), None)
            self._problem("expected a mapping, found a string; is a colon missing?", file, first)
        return None

    # -- the inventory's own files

    def _sources(self, path: Path) -> Iterator[Path]:
        """Yield the inventory files at ``path`` in Ansible's order."""
        if not os.path.exists(path):  # False, and no error, if the folder may not be entered
            self._problem("no such file or folder; choose an inventory with --inventory", path)
        elif os.path.isdir(path):
            yield from self._sources_in(path, ())
        elif path.suffix in _ENDINGS:
            yield path
        else:
            self._problem("Ansible inventories are read as YAML only (.yml, .yaml, .json); rename the file", path)

    def _sources_in(self, folder: Path, above: _Folders) -> Iterator[Path]:
        names, within = self._entries(folder, above)
        for name in names:
            file = folder / name
            self._warn_of_ending(file)
            if _IGNORED.search(name):
                continue
            if os.path.isdir(file):
                meant = _misspelt_folder(name)
                if meant:
                    self._problem(f"Ansible would read this folder as inventory; rename it to {meant!r}", file)
                else:
                    yield from self._sources_in(file, within)
            elif file.suffix in _ENDINGS:
                yield file
            else:
                message = "Ansible would read this file as inventory, and only YAML (.yml, .yaml, .json) is read here"
                self._problem(f"{message}; move it out of the inventory folder", file)

    def _entries(self, folder: Path, above: _Folders) -> tuple[list[str], _Folders]:
        """Return the names in a folder, sorted, and the folders that they are in.

        There is none, after a problem, in a folder that cannot be read or that a link leads back to.
        """
        try:
            about = os.stat(folder)
            names = os.listdir(folder)
        except OSError as error:
            self._problem(f"cannot be read: {(error.strerror or str(error)).lower()}", folder)
            return [], above
        self._limits.take(files=len(names))
        identity = (about.st_dev, about.st_ino)
        if identity in above:
            self._problem("is a symbolic link to a folder that it is in itself", folder)
            return [], above
        return sorted(names), (*above, identity)

    def _warn_of_ending(self, file: Path) -> None:
        meant = _WRONG_ENDING.fullmatch(file.name)
        if meant:
            self.warnings.append(Problem(f"is not read because of its ending; rename it to {meant[1]!r}", file))

    def _warn_of_misnamed_folders(self, folder: Path) -> None:
        """Warn of a folder beside the inventory file that is probably meant as ``group_vars`` or ``host_vars``."""
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            return  # the inventory file itself is elsewhere, or is a problem already
        for name in names:
            meant = _misspelt_folder(name) if os.path.isdir(folder / name) else None
            if meant:
                self.warnings.append(Problem(f"is not read; rename the folder to {meant!r}", folder / name))

    # -- group_vars/ and host_vars/

    def _read_variables(self, folder: Path, owners: Mapping[str, Group] | Mapping[str, Host]) -> None:
        """Read the variables of each group or host that has a file in ``group_vars/`` or ``host_vars/``.

        Each has one file, or a folder whose files are read in the order of names. A file that names none of the
        ``owners`` is a warning.
        """
        if not os.path.isdir(folder):
            return
        names, within = self._entries(folder, ())
        unused = dict.fromkeys(names)
        listed = set(names)
        for owner in owners.values():
            name = next((owner.name + ending for ending in _ENDINGS if owner.name + ending in listed), None)
            if name is not None:
                unused.pop(name, None)
                for file in self._variable_files(folder / name, within):
                    owner.filed.update(self._variables_in(file))
        for name in unused:
            self._warn_of_ending(folder / name)
            if not _IGNORED.search(name) and not self.problems:  # which may hide a group
                from venue_access.inventory.suggestions import did_you_mean

                stem = name.split(".", 1)[0]
                message = f"names no group or host of the inventory{did_you_mean(stem, owners)}"
                self.warnings.append(Problem(message, folder / name))

    def _variable_files(self, path: Path, above: _Folders) -> Iterator[Path]:
        if not os.path.isdir(path):
            yield path
            return
        names, within = self._entries(path, above)
        for name in names:
            file = path / name
            ending = os.path.splitext(name)[1]
            self._warn_of_ending(file)
            if name.startswith(".") or name.endswith("~"):
                continue
            if os.path.isdir(file):
                if not ending:
                    yield from self._variable_files(file, within)
            elif ending in _ENDINGS:
                yield file

    def _variables_in(self, file: Path) -> dict[str, SourcedValue]:
        document = self._document(file)
        if not document:
            return {}
        if not isinstance(document, LocatedDict):
            self._problem(f"expected a mapping of variables, found {kind(document)}", file)
            return {}
        for key in document:
            if not isinstance(key, str):
                message = f"the name of a variable must be a string, found {kind(key)} {key!r}"
                self._problem(message, file, line_of(document, key))
        lines = document.lines
        return {
            key: SourcedValue(value, file, lines.get(key)) for key, value in document.items() if isinstance(key, str)
        }


def _misspelt_folder(name: str) -> str | None:
    """Return the folder of variables that the name of another one misspells, or None."""
    if name in _VARS_FOLDERS:
        return None
    from venue_access.inventory.suggestions import misspelt

    return misspelt(name, _VARS_FOLDERS)
