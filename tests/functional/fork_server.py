"""Run ``invoke`` in forks of a process that has imported it: two thirds of a short command's CPU time are imports.

A fork is a process like any other: it has its own environment, folder, standard streams, session and exit code. A test
that needs a new interpreter starts it with ``Kit.start``.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import io
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

CHECKOUT = Path(__file__).resolve().parents[2]
_BY_INTERPRETER = ("PYTHON", "LC_", "LANG")
"""Variables that Python reads when it starts."""

_PROGRAMS = ("venue_access.inventory.patterns",)
"""Modules that are programs of their own, and run when they are imported."""


def can_fork(environment: Mapping[str, str]) -> bool:
    """Return whether a fork behaves as a new interpreter with this environment does."""
    names = {name for name in (*environment, *os.environ) if name.startswith(_BY_INTERPRETER)}
    return all(environment.get(name) == os.environ.get(name) for name in names)


def run_forked(
    arguments: Sequence[str], *, typed: str, folder: Path, environment: Mapping[str, str], timeout: float
) -> tuple[int, str, str]:
    """Run ``invoke`` to its end, and return its exit code, standard output and standard error.

    :raises subprocess.TimeoutExpired: it ran for longer than ``timeout`` seconds, and was killed.
    """
    pipes = [os.pipe() for _ in range(3)]
    theirs = [pipes[0][0], pipes[1][1], pipes[2][1]]
    request = json.dumps({"arguments": list(arguments), "folder": str(folder), "environment": dict(environment)})
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(_server()))
        socket.send_fds(connection, [b"."], theirs)
        connection.sendall(request.encode())
        connection.shutdown(socket.SHUT_WR)
        for descriptor in theirs:
            os.close(descriptor)
        shown: dict[int, str] = {}
        readers = [threading.Thread(target=_read, args=(pipes[number][0], number, shown)) for number in (1, 2)]
        for reader in readers:
            reader.start()
        with open(pipes[0][1], "w", encoding="utf-8") as standard_input:
            standard_input.write(typed)  # little enough for the pipe
        answers = connection.makefile()
        process = int(answers.readline())
        connection.settimeout(timeout)
        try:
            code = int(answers.readline())
        except BaseException as error:
            os.killpg(process, signal.SIGKILL)
            if isinstance(error, TimeoutError):
                raise subprocess.TimeoutExpired(list(arguments), timeout) from error
            raise
        for reader in readers:
            reader.join(timeout)
    return code, shown[1], shown[2]


def _read(descriptor: int, number: int, shown: dict[int, str]) -> None:
    with open(descriptor, encoding="utf-8") as stream:
        shown[number] = stream.read()


@cache
def _server() -> Path:
    """Start the server of this process, and return the path of its socket."""
    folder = tempfile.TemporaryDirectory(prefix="forks")
    atexit.register(folder.cleanup)
    path = Path(folder.name) / "socket"
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.functional.fork_server", str(path)],
        cwd=CHECKOUT,
        env=environment,
        stdin=subprocess.PIPE,  # it ends when this process does
        start_new_session=True,
    )
    atexit.register(process.kill)
    deadline = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None, "the fork server ended"
        assert time.monotonic() < deadline, "the fork server does not start"
        time.sleep(0.02)
    return path


def _serve(path: Path) -> None:
    """Fork for every connection, until standard input ends. Only the fork that is to run a command returns."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{path}.new")
    listener.listen(64)
    os.rename(f"{path}.new", path)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            os._exit(0)
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _watch(connection)
            return
        connection.close()


def _watch(connection: socket.socket) -> None:
    """Fork the command, and report its process ID and exit code. Only the command's process returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, descriptors, _, _ = socket.recv_fds(connection, 1, 3)
    request = json.loads(connection.makefile().read())
    process = os.fork()
    if process == 0:
        connection.close()
        _become(request, descriptors)
        return
    for descriptor in descriptors:
        os.close(descriptor)
    connection.sendall(f"{process}\n".encode())
    _, status = os.waitpid(process, 0)
    connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _become(request: dict[str, Any], descriptors: list[int]) -> None:
    """Make this process what a new interpreter is before it runs ``invoke``."""
    os.setsid()
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)))
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w", closefd=False)))
    stderr = io.BufferedWriter(io.FileIO(2, "w", closefd=False))
    sys.stderr = io.TextIOWrapper(stderr, errors="backslashreplace", line_buffering=True)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    os.chdir(request["folder"])
    sys.path[:] = [request["folder"], *(each for each in sys.path if each != str(CHECKOUT))]
    sys.argv = ["invoke", *request["arguments"]]


def _import_all() -> None:
    import venue_access

    for module in pkgutil.walk_packages(venue_access.__path__, "venue_access."):
        if module.name not in _PROGRAMS:
            importlib.import_module(module.name)
    for name in ("invoke.main", "boto3", "botocore.session", "cryptography", "jinja2", "pyrage", "yaml"):
        importlib.import_module(name)


def _main() -> NoReturn:
    _import_all()
    gc.freeze()
    _serve(Path(sys.argv[1]))
    runpy.run_module("invoke", run_name="__main__", alter_sys=True)
    sys.exit()


if __name__ == "__main__":
    _main()
