"""Which files make up an inventory: its YAML files, and those of ``group_vars/`` and ``host_vars/``.

Source: ansible-core 2.19, inventory/manager.py, plugins/vars/host_group_vars.py, parsing/dataloader.py.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from venue_access.errors import Problem
from venue_access.inventory.group_builder import kind
from venue_access.inventory.limits import Limits
from venue_access.inventory.values import SourcedValue

ENDINGS = ("", ".yml", ".yaml", ".json")
IGNORED = re.compile(
    r"^\.|^(host_vars|group_vars|vars_plugins)$|(\.pyc|\.pyo|\.swp|\.bak|~|\.rpm|\.md|\.txt|\.rst|\.orig|\.cfg|\.retry)$"
)


def sources(path: Path, problems: list[Problem], allowance: Limits) -> Iterator[Path]:
    """The inventory files at ``path`` in Ansible's order."""
    if not os.path.exists(path):  # where Path.exists raises, as for a folder one may not enter, this is False
        problems.append(Problem("no such file or folder; choose an inventory with --inventory", file=path))
    elif os.path.isdir(path):
        yield from _sources_in(path, problems, allowance, ())
    else:
        yield from _source(path, problems)


def _sources_in(
    folder: Path, problems: list[Problem], allowance: Limits, above: tuple[tuple[int, int], ...]
) -> Iterator[Path]:
    within = _within(folder, problems, above)
    for name in sorted(_listing(folder, problems, allowance)) if within else ():
        inner = folder / name
        if IGNORED.search(name):
            continue
        if os.path.isdir(inner):
            yield from _sources_in(inner, problems, allowance, within)
        else:
            yield from _source(inner, problems)


def _within(folder: Path, problems: list[Problem], above: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """The folders that one is in when in ``folder``; none, and a problem, where a link leads back to one of them."""
    try:
        about = os.stat(folder)
    except OSError as error:
        problems.append(Problem(f"cannot be read: {(error.strerror or str(error)).lower()}", file=folder))
        return ()
    if (about.st_dev, about.st_ino) in above:
        problems.append(Problem("is a symbolic link to a folder that it is in itself", file=folder))
        return ()
    return (*above, (about.st_dev, about.st_ino))


def _source(file: Path, problems: list[Problem]) -> Iterator[Path]:
    if file.suffix in ENDINGS:
        yield file
    else:
        message = "Ansible would read this file as inventory, and only YAML (.yml, .yaml, .json) is read here"
        problems.append(Problem(f"{message}; move it out of the inventory folder", file=file))


def _listing(folder: Path, problems: list[Problem], allowance: Limits) -> list[str]:
    try:
        names = os.listdir(folder)
        allowance.take_files(len(names))
        return names
    except OSError as error:
        problems.append(Problem(f"cannot be read: {(error.strerror or str(error)).lower()}", file=folder))
        return []


class VarsFolder:
    """A ``group_vars`` or ``host_vars`` folder, listed once."""

    def __init__(self, folder: Path, read: Callable[[Path], Any], problems: list[Problem], allowance: Limits) -> None:
        self._folder = folder
        self._read = read
        self._problems = problems
        self._allowance = allowance
        self._names = set(_listing(folder, problems, allowance)) if os.path.isdir(folder) else set()
        self._used: set[str] = set()

    def settings(self, name: str) -> dict[str, SourcedValue]:
        """The variables of a group or host: of its file, or of all files in its folder in the order of names."""
        found: dict[str, SourcedValue] = {}
        for ending in ENDINGS:
            if name + ending in self._names:
                self._used.add(name + ending)
                for file in self._files(self._folder / (name + ending)):
                    found.update(self._variables(file))
                break
        return found

    def unused(self) -> Iterator[Path]:
        """What names no group or host, except what Ansible ignores wherever it stands."""
        for name in sorted(self._names - self._used):
            if not IGNORED.search(name):
                yield self._folder / name

    def _files(self, path: Path, above: tuple[tuple[int, int], ...] = ()) -> Iterator[Path]:
        if not os.path.isdir(path):
            yield path
            return
        within = _within(path, self._problems, above)
        for name in sorted(_listing(path, self._problems, self._allowance)) if within else ():
            inner = path / name
            ending = os.path.splitext(name)[1]
            if name.startswith(".") or name.endswith("~"):
                continue
            if os.path.isdir(inner):
                if not ending:
                    yield from self._files(inner, within)
            elif ending in ENDINGS:
                yield inner

    def _variables(self, file: Path) -> dict[str, SourcedValue]:
        document = self._read(file)
        if not document:
            return {}
        if not isinstance(document, dict):
            self._problems.append(Problem(f"expected a mapping of variables, found {kind(document)}", file=file))
            return {}
        for key in document:
            if not isinstance(key, str):
                message = f"the name of a variable is a text, found {kind(key)} {key!r}"
                self._problems.append(Problem(message, file=file))
        return {key: SourcedValue(value, file) for key, value in document.items() if isinstance(key, str)}
