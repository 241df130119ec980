"""The processes that work in a folder, found through /proc."""

from __future__ import annotations

import os
import time
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
