"""Small disks that are full when a test says so: Linux lets root mount them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Disk:
    """A small disk mounted at a folder."""

    folder: Path

    def fill(self) -> None:
        """Leave no room on it."""
        with (self.folder / "filler").open("ab", buffering=0) as filler:
            for size in (65_536, 4_096, 512, 1):
                try:
                    while True:
                        filler.write(bytes(size))
                except OSError:
                    continue

    def empty(self) -> None:
        """Make room again."""
        (self.folder / "filler").unlink(missing_ok=True)


class Disks:
    """Mounts disks, and takes them away at the end."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def mount(self, folder: Path, *, size: str = "4m") -> Disk:
        """A disk at ``folder``, which is made where it is missing.

        Skips the test where this is not permitted.
        """
        folder.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(folder)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("only root may mount a disk, and no container without that right")
        self._stack.callback(subprocess.run, ["umount", "--lazy", str(folder)], check=False)
        return Disk(folder)


def disks() -> Iterator[Disks]:
    """What a fixture yields: disks that are gone after the test."""
    with ExitStack() as stack:
        yield Disks(stack)
