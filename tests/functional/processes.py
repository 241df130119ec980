"""The processes of this machine, as anybody sees them through /proc: those in a folder, what their arguments show."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


def working_in(folder: Path) -> dict[int, str]:
    """Process IDs and command lines: Terraform and its provider work in their stack's folder."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(process / "cwd") == str(folder):
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if command:  # a zombie has none
                    found[int(process.name)] = command
        except OSError:
            continue  # it has ended, or is somebody else's
    return found


def left_in(folder: Path, *, within: float = 20.0) -> dict[int, str]:
    """What still works in a folder after some seconds; nothing as soon as there is nothing."""
    deadline = time.monotonic() + within
    while (found := working_in(folder)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


@dataclass
class Seen:
    """What processes showed while one of them ran."""

    arguments: set[bytes] = field(default_factory=set)
    """Of all that ran on this machine."""
    environments: set[bytes] = field(default_factory=set)
    """Of the one and of what it started, and of what that did."""
    family: set[int] = field(default_factory=set)


@contextmanager
def watching(process: int, *, every: float = 0.02) -> Iterator[Seen]:
    """Look at the processes of this machine again and again until the context ends."""
    seen, ended = Seen(family={process}), threading.Event()

    def watch() -> None:
        while not ended.wait(every):
            _look(seen)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        ended.set()
        watcher.join()


def _look(seen: Seen) -> None:
    for process in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):  # parents before children
        try:
            seen.arguments.add((process / "cmdline").read_bytes())
            parent = int((process / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
            if parent in seen.family:
                seen.family.add(int(process.name))
            if int(process.name) in seen.family:
                seen.environments.add((process / "environ").read_bytes())
        except OSError:
            continue  # it has ended, or is somebody else's
