"""Files and folders that only their owner may read, replaced whole or not at all."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from venue_access.errors import RequestError


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


def append_private(path: Path, line: str) -> None:
    """Add one line to ``path`` (mode 0600) and flush it to the disk; lines of several processes stay whole.

    :raises RequestError: it cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            before = os.fstat(descriptor).st_size
            try:
                file.write(line + "\n")
                file.flush()
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, before)  # half a line would spoil the next one too
                raise
    except OSError as error:
        raise unwritable(path, error) from error


def check_appendable(path: Path) -> None:
    """See that ``append_private`` can add to ``path``, before what it is to record has happened.

    :raises RequestError: it cannot.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600))
    except OSError as error:
        raise unwritable(path, error) from error


def read_given(path: str, flag: str) -> str:
    """The text of a file that was named with a flag.

    :raises RequestError: it cannot be read, or is no text.
    """
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise RequestError(f"{flag}: cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    except ValueError as error:  # a NUL in the name, or what it holds
        raise RequestError(f"{flag}: {path!r} is no text in UTF-8") from error


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


def unwritable(path: Path, error: OSError) -> RequestError:
    """The error for a file or folder of the kit's own that cannot be written."""
    return RequestError(
        f"cannot write {path}: {(error.strerror or str(error)).lower()}",
        hint="the work directory must be a writable folder with free space; choose another with INVOKE_WORKDIR",
    )
