"""A file of lines, mode 0600, to which several processes add: whole lines, on the disk, or none."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import TypeVar

from venue_access.errors import UsageError
from venue_access.files import flush_folder, take_lock, unwritable

T = TypeVar("T")

_BLOCK = 8_192
_ROOM = 65_536
"""Bytes: of some tens of records."""
TIMEOUT = 30.0
"""Seconds to wait for another process that holds the file's lock."""
_QUIET = 1.0  # seconds; each of many writers waits for a moment


@dataclass(frozen=True)
class WholeLines:
    """The lines of a file that is locked, without what a crash left of one at its end."""

    _file: FileIO
    length: int
    """In bytes."""

    @classmethod
    def of(cls, file: FileIO) -> WholeLines:
        """Return those of an open file."""
        return cls(file, _found_before(file, file.seek(0, os.SEEK_END)) + 1)

    def last(self, count: int) -> list[str]:
        """Return the last ``count`` lines, or all where there are fewer."""
        start = self.length
        for _ in range(count):
            start = _found_before(self._file, start - 1) + 1 if start else 0
        return self._from(start)

    def all(self) -> list[str]:
        """Return every line."""
        return self._from(0)

    def _from(self, start: int) -> list[str]:
        self._file.seek(start)
        content = _read_exactly(self._file, self.length - start)
        return [line.decode(errors="replace") for line in content.split(b"\n")[:-1]]


def append_private(
    path: Path,
    line_after: Callable[[WholeLines], str],
    *,
    timeout: float = TIMEOUT,
    waiting: Callable[[], None] = lambda: None,
) -> None:
    """Add a line to ``path`` (mode 0600) that may depend on those before it; on the disk when this returns.

    Of several processes one is at it at a time. What a crash left of a line, without its end, is taken away: whoever
    wrote it did not go on.

    :param line_after: the line, without its end, given those that are there.
    :param waiting: called once where another process has the file's lock for more than a second.
    :raises UsageError: it cannot be written, or another process holds the lock; the file is as it was.
    """
    try:
        descriptor = _opened_locked(path, timeout, waiting)
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            lines = WholeLines.of(file)
            line = line_after(lines).encode() + b"\n"
            try:
                os.ftruncate(descriptor, lines.length)
                file.seek(lines.length)
                while line:
                    line = line[file.write(line) :]
                os.fsync(descriptor)
                if lines.length == 0:
                    flush_folder(path.parent)
            except OSError:
                os.ftruncate(descriptor, lines.length)
                raise
    except OSError as error:
        raise unwritable(path, error) from error


def read_lines(path: Path, *, timeout: float = TIMEOUT, waiting: Callable[[], None] = lambda: None) -> list[str]:
    """The whole lines of a file that ``append_private`` writes; none where there is no file.

    :raises UsageError: it cannot be read, or another process holds its lock.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe would be waited for
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, "it is no file")
            take_lock(descriptor, path, timeout=timeout, shared=True, quiet=_QUIET, waiting=waiting)
            return WholeLines.of(file).all()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error


def look_at_lines(
    path: Path,
    look: Callable[[WholeLines], T],
    *,
    timeout: float = TIMEOUT,
    waiting: Callable[[], None] = lambda: None,
) -> T:
    """Return what ``look`` makes of the lines of a file that can be added to, with room on its disk.

    :raises UsageError: ``append_private`` could not add to it.
    """
    try:
        with os.fdopen(_opened_locked(path, timeout, waiting), "r+b", buffering=0) as file:
            _take_room(file)
            return look(WholeLines.of(file))
    except OSError as error:
        raise unwritable(path, error) from error


def _take_room(file: FileIO) -> None:
    """See that lines can be added, by having the disk set room aside for a moment."""
    if hasattr(os, "posix_fallocate"):  # macOS has none
        end = file.seek(0, os.SEEK_END)
        try:
            os.posix_fallocate(file.fileno(), end, _ROOM)
        finally:
            os.ftruncate(file.fileno(), end)


def _opened_locked(path: Path, timeout: float, waiting: Callable[[], None]) -> int:
    """A descriptor of the file, held alone; of the one that stands there now, should another have been put there."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            take_lock(descriptor, path, timeout=timeout, quiet=_QUIET, waiting=waiting)
            if os.path.exists(path) and os.path.samestat(os.fstat(descriptor), os.lstat(path)):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _found_before(file: FileIO, end: int) -> int:
    """Where the last line feed before ``end`` stands; -1 where there is none."""
    while end > 0:
        start = max(0, end - _BLOCK)
        file.seek(start)
        found = _read_exactly(file, end - start).rfind(b"\n")
        if found >= 0:
            return start + found
        end = start
    return -1


def _read_exactly(file: FileIO, count: int) -> bytes:
    content = b""
    while len(content) < count and (more := file.read(count - len(content))):
        content += more
    return content
