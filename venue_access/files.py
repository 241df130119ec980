"""Files and folders that only their owner may read, replaced whole or not at all."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from venue_access.errors import RequestError

_BLOCK = 8_192


def private_directory(path: Path) -> Path:
    """Make ``path`` and its missing parents with mode 0700, and return it.

    :raises RequestError: it cannot be made.
    """
    try:
        for folder in [*reversed(path.parents), path]:
            if not folder.exists():
                folder.mkdir(mode=0o700, exist_ok=True)
        if not path.is_dir():
            raise NotADirectoryError(20, "is not a directory", str(path))
    except OSError as error:
        raise unwritable(path, error) from error
    return path


def write_private(path: Path, text: str) -> None:
    """Replace ``path`` by ``text`` at one stroke, mode 0600; a reader sees the old or the new.

    The new file is made beside the old one with its final mode, so that no moment shows it to others, and a
    symbolic link at ``path`` is replaced, never followed.

    :raises RequestError: it cannot be written (a full disk, a read-only folder).
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise unwritable(path, error) from error


def write_private_if_changed(path: Path, text: str) -> bool:
    """Write as ``write_private`` does unless the file already holds ``text``; whether it was written."""
    try:
        if not path.is_symlink() and path.read_text(encoding="utf-8") == text:
            return False
    except (OSError, UnicodeDecodeError):
        pass  # absent or unreadable: it is replaced
    write_private(path, text)
    return True


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
                    _flush_folder(path.parent)
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
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            content = file.read()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RequestError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    whole = content[: content.rfind(b"\n") + 1]
    return [line.decode(errors="replace") for line in whole.split(b"\n")[:-1]]


def last_line(path: Path) -> str | None:
    """The last whole line of a file that can be added to; None where there is none.

    :raises RequestError: ``append_private`` could not add to it.
    """
    try:
        with os.fdopen(_opened_locked(path), "r+b", buffering=0) as file:
            return _last_line(file, _whole_lines(file))
    except OSError as error:
        raise unwritable(path, error) from error


@contextmanager
def locked(
    path: Path,
    *,
    timeout: float,
    waiting: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[None]:
    """Hold the machine-wide lock at ``path``; the system drops it when the process ends, however it ends.

    :param timeout: seconds to wait for another holder; ``waiting`` is called once when the wait begins.
    :raises RequestError: someone else held it to the end of ``timeout``, or it cannot be made.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        deadline = clock() + timeout
        said = False
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if clock() >= deadline:
                    raise RequestError(
                        f"another process holds {path} since more than {timeout:.0f} s",
                        hint="wait for it to end, or look for a hung one with: ps aux | grep invoke",
                    ) from None
                if not said:
                    said = True
                    waiting()
                sleep(0.05)
        yield
    finally:
        os.close(descriptor)


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


def _flush_folder(folder: Path) -> None:
    """A new file's name is the folder's content."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unwritable(path: Path, error: OSError) -> RequestError:
    """The error for a file or folder of the kit's own that cannot be written."""
    return RequestError(
        f"cannot write {path}: {(error.strerror or str(error)).lower()}",
        hint="the work directory must be a writable folder with free space; choose another with INVOKE_WORKDIR",
    )
