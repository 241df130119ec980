"""Private files and folders (modes 0600 and 0700), atomic replacement, and locks."""

from __future__ import annotations

import fcntl
import os
import secrets
import shlex
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from venue_access.errors import UsageError


def private_directory(path: Path) -> Path:
    """Create ``path`` and its missing parents with mode 0700, and return it.

    :raises UsageError: it cannot be created, or exists and is writable by others: Terraform would run their files with
        the operator's credentials.
    """
    try:
        for folder in [*reversed(path.parents), path]:
            if not folder.exists():
                folder.mkdir(mode=0o700, exist_ok=True)
        if not path.is_dir():
            raise NotADirectoryError(20, "is not a directory", str(path))
        about = path.stat()
    except OSError as error:
        raise unwritable(path, error) from error
    if about.st_mode & 0o022 or about.st_uid not in (os.geteuid(), 0):
        raise UsageError(
            f"{path} is writable by group or others", hint=f"restrict it: chmod go-w {shlex.quote(str(path))}"
        )
    return path


def write_private(path: Path, text: str) -> None:
    """Replace ``path`` with ``text`` atomically, mode 0600.

    The new file is created beside the old one with its final mode, so that others can never read it. A symbolic link
    at ``path`` is replaced, not followed.

    :raises UsageError: it cannot be written (a full disk, a read-only folder).
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        _create(beside, text.encode(), lambda: os.replace(beside, path))
    except OSError as error:
        raise unwritable(path, error) from error


def _create(path: Path, content: bytes, finish: Callable[[], None]) -> None:
    """Create a file with mode 0600 and write it to the disk, then call ``finish``; if that fails, remove the file."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        finish()
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def write_private_if_changed(path: Path, text: str) -> bool:
    """Call ``write_private`` unless the file already contains ``text``; return whether it was written."""
    try:
        if not path.is_symlink() and path.read_text(encoding="utf-8") == text:
            return False
    except (OSError, UnicodeDecodeError):
        pass  # absent or unreadable: replace it
    write_private(path, text)
    return True


def create_private(path: Path, content: bytes) -> None:
    """Create a file with mode 0600 where nothing exists, not even a symbolic link; it is on the disk on return.

    :raises UsageError: something exists there, or it cannot be written; then nothing is left of it.
    """
    try:
        _create(path, content, lambda: flush_folder(path.parent))
    except OSError as error:
        raise _not_made(path, error) from error


def check_creatable(path: Path) -> None:
    """Check that ``create_private`` can create ``path``, before its content exists.

    :raises UsageError: something exists there, or no file can be created in its folder.
    """
    try:
        os.lstat(path)
    except FileNotFoundError:
        check_takes_files(path.parent)
    except OSError as error:
        raise _not_made(path, error) from error
    else:
        raise _not_made(path, FileExistsError())


def check_takes_files(folder: Path, *, size: int = 65_536) -> None:
    """Check that a file of ``size`` bytes can be created in a folder, by creating one without a name.

    :raises UsageError: the folder is missing, read-only or full.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(size))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise _not_made(folder, error) from error


def user_path(text: str) -> Path:
    """Return a path of a flag with ``~`` and ``~user`` expanded, which a shell does not do in ``--flag=~/x``."""
    return Path(os.path.expanduser(text))


def read_small(path: Path, *, what: str, hint: str, most: int = 65_536) -> bytes:
    """Return the content of a ``what`` file that the operator names.

    :raises UsageError: it cannot be read, or is larger than ``most`` bytes.
    """
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise UsageError(f"the {what} file {str(path)!r} cannot be read: {_reason(error)}", hint=hint) from error
    if len(content) > most:
        raise UsageError(f"the {what} file {str(path)!r} is longer than any {what}", hint=hint)
    return content


def read_regular(path: Path, *, most: int) -> bytes:
    """Return the content of a regular file of at most ``most`` bytes; it never blocks or reads without end.

    :raises OSError: it cannot be read.
    :raises ValueError: it is larger, or not a regular file (a pipe, a device).
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError("it is not a regular file")
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        content: bytes | None = file.read(most + 1)
    if content is None:  # a file of the kernel may have no content yet
        raise ValueError("it is not a regular file")
    if len(content) > most:
        raise ValueError(f"it is larger than {most // 1024 // 1024} MiB")
    return content


def check_private(path: Path) -> None:
    """Check that a file or folder with credentials is private.

    :raises UsageError: others can read it, or it belongs to another user; the hint is the command that corrects it.
    """
    try:
        about = path.stat()
    except OSError as error:
        raise UsageError(f"cannot read the status of {path}: {_reason(error)}") from error
    if about.st_uid not in (os.geteuid(), 0):
        raise UsageError(f"{path} belongs to another user", hint="store credentials in your own files")
    if about.st_mode & 0o077:
        mode = "700" if path.is_dir() else "600"
        raise UsageError(
            f"{path} is readable by group or others", hint=f"restrict it: chmod {mode} {shlex.quote(str(path))}"
        )


@contextmanager
def locked(
    path: Path,
    *,
    timeout: float,
    waiting: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[None]:
    """Hold the machine-wide lock at ``path``; the system releases it when the process ends.

    :param timeout: seconds to wait for another holder.
    :param waiting: called once when a wait begins.
    :raises UsageError: another process holds it after ``timeout``, or the file cannot be created.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        take_lock(descriptor, path, timeout=timeout, waiting=waiting, clock=clock, sleep=sleep)
        yield
    finally:
        os.close(descriptor)


def take_lock(
    descriptor: int,
    path: Path,
    *,
    timeout: float,
    shared: bool = False,
    quiet: float = 0.0,
    waiting: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Lock an open file until it is closed.

    :param shared: take a shared lock.
    :param quiet: seconds before ``waiting`` is called: with many writers, each waits for a moment.
    :raises UsageError: another process, which the message names, holds it after ``timeout`` (seconds).
    """
    began, pause, said = clock(), 0.001, False
    while True:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            waited = clock() - began
        if waited >= timeout:
            raise _held(path, _lock_holder(descriptor), timeout)
        if not said and waited >= quiet:
            said = True
            waiting()
        sleep(pause)
        pause = min(2 * pause, 0.05)


def _lock_holder(descriptor: int) -> int | None:
    """Return the process that holds a file's lock; None if the system does not tell (macOS)."""
    about = os.fstat(descriptor)
    file = f"{os.major(about.st_dev):02x}:{os.minor(about.st_dev):02x}:{about.st_ino}"
    try:
        locks = Path("/proc/locks").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    for _, kind, _, _, process, held, *_ in (line.split() for line in locks if "->" not in line):
        if (kind, held) == ("FLOCK", file) and process.isdigit() and int(process) > 0:
            return int(process)
    return None


def _held(path: Path, holder: int | None, timeout: float) -> UsageError:
    """Return the error of a lock timeout, without process arguments: they may contain a credential."""
    named = holder is not None and holder != os.getpid()
    who = f"process {holder}" if named else "another process" if holder is None else "another thread of this process"
    look = f"ps -o pid,stat,etime,comm -p {holder}" if named else f"lsof {shlex.quote(str(path))}"
    return UsageError(
        f"{who} has held the lock of {path} for more than {timeout:.0f} s",
        hint=f"wait for it to end, or check whether it hangs: {look}",
    )


def flush_folder(folder: Path) -> None:
    """Write a folder's entries to the disk, so that a new file survives a crash."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _not_made(path: Path, error: OSError) -> UsageError:
    if isinstance(error, FileExistsError):
        return UsageError(f"{path} already exists", hint="name another file, or remove it")
    return UsageError(
        f"cannot write {path}: {_reason(error)}", hint="its folder must exist, be writable and have free space"
    )


def unwritable(path: Path, error: OSError) -> UsageError:
    """Return the error of a file or folder of the work directory that cannot be written."""
    return UsageError(
        f"cannot write {path}: {_reason(error)}",
        hint="the work directory must be a writable folder with free space; choose another with INVOKE_WORKDIR",
    )
