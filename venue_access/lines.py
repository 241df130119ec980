"""A file of lines, mode 0600, to which several processes add: whole lines, on the disk, or none."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable
from io import FileIO
from pathlib import Path

from venue_access.errors import RequestError
from venue_access.files import flush_folder, unwritable

_BLOCK = 8_192
_ROOM = 65_536
"""Bytes: of some tens of records."""


def append_private(path: Path, line_after: Callable[[str | None], str]) -> None:
    """Add a line to ``path`` (mode 0600) that may depend on the last one; on the disk when this returns.

    Of several processes one is at it at a time. What a crash left of a line, without its end, is taken away: whoever
    wrote it did not go on.

    :param line_after: the line, without its end, given the last one; None for the first.
    :raises RequestError: it cannot be written; the file is as it was.
    """
    try:
        descriptor = _opened_locked(path)
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            whole = _whole_lines(file)
            line = line_after(_last_line(file, whole)).encode() + b"\n"
            try:
                os.ftruncate(descriptor, whole)
                file.seek(whole)
                while line:
                    line = line[file.write(line) :]
                os.fsync(descriptor)
                if whole == 0:
                    flush_folder(path.parent)
            except OSError:
                os.ftruncate(descriptor, whole)
                raise
    except OSError as error:
        raise unwritable(path, error) from error


def read_lines(path: Path) -> list[str]:
    """The whole lines of a file that ``append_private`` writes; none where there is no file.

    :raises RequestError: it cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe would be waited for
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, "it is no file")
            fcntl.flock(file, fcntl.LOCK_SH)
            content = file.read()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RequestError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    whole = content[: content.rfind(b"\n") + 1]
    return [line.decode(errors="replace") for line in whole.split(b"\n")[:-1]]


def last_line(path: Path) -> str | None:
    """The last whole line of a file that can be added to, with room on its disk; None where there is none.

    :raises RequestError: ``append_private`` could not add to it.
    """
    try:
        with os.fdopen(_opened_locked(path), "r+b", buffering=0) as file:
            _take_room(file)
            return _last_line(file, _whole_lines(file))
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


def _opened_locked(path: Path) -> int:
    """A descriptor of the file, held alone; of the one that stands there now, should another have been put there."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.path.exists(path) and os.path.samestat(os.fstat(descriptor), os.lstat(path)):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _whole_lines(file: FileIO) -> int:
    """The length of a file without what stands after its last line's end."""
    end = file.seek(0, os.SEEK_END)
    return _found_before(file, end) + 1


def _last_line(file: FileIO, whole: int) -> str | None:
    if whole == 0:
        return None
    start = _found_before(file, whole - 1) + 1
    file.seek(start)
    return _read_exactly(file, whole - 1 - start).decode(errors="replace")


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
