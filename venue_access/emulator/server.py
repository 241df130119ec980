"""The AWS emulator: MiniStack with IAM enforced, one server per work directory, over TLS on 127.0.0.1.

Whether it runs is told by a lock that the server, a single process, itself holds: a killed one is seen at once, and no
process of somebody else's is ever taken for it.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from venue_access.aws.client import Endpoint
from venue_access.errors import AwsError, UsageError
from venue_access.files import locked, private_directory, unwritable, write_private

HOST = "127.0.0.1"
START_TIMEOUT = 60.0
CERTIFICATE_RENEWED_AFTER = 795 * 86_400.0
"""Seconds: a month before its end (``certificate.VALIDITY``, which would take a while to import)."""
STOP_TIMEOUT = 60.0  # a client that keeps a connection open holds it for up to 30 s


@dataclass(frozen=True)
class AwsEmulator:
    """The AWS emulator of one work directory."""

    folder: Path
    """Its state, certificate and log."""
    now: Callable[[], float] = time.time

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def seeded(self) -> Path:
        """Holds what was made on it since it was started; absent until something was."""
        return self.folder / "seeded"

    @property
    def _certificate(self) -> Path:
        return self.folder / "server.pem"

    def endpoint(self) -> Endpoint:
        """Where it answers, or would: the port is remembered over a stop."""
        return Endpoint(f"https://{HOST}:{self._port()}", self.folder / "ca.pem")

    def is_running(self) -> bool:
        """Whether the server is there (it may still be starting)."""
        try:
            descriptor = os.open(self.folder / "running.lock", os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def up(self) -> bool:
        """Start the server unless it runs, and wait until it answers; whether this call started it.

        Two calls at the same moment start one.

        :raises UsageError: it is not installed.
        :raises AwsError: it does not come up; the message quotes the end of its log.
        """
        if self.is_running() and _answers(self._port()) and not self._is_renewal_due():
            return False
        private_directory(self.folder)
        with locked(self.folder / "start.lock", timeout=START_TIMEOUT):
            if self._is_renewal_due():  # only a new process reads a new certificate; its state outlives that
                self._stop()
            started = not self.is_running()
            if started:
                self._start()
            _wait(lambda: _answers(self._port()) or not self.is_running(), START_TIMEOUT)
            if not (self.is_running() and _answers(self._port())):
                raise AwsError(
                    f"the AWS emulator does not start; the end of {self.log}:\n{_tail(self.log)}",
                    hint="invoke local.down, then run the command again",
                )
        return started

    def down(self) -> bool:
        """Stop the server cleanly, which saves its state; whether there was one.

        :raises AwsError: it does not end.
        """
        if not self.is_running():
            return False
        with locked(self.folder / "start.lock", timeout=START_TIMEOUT):
            self._stop()
        return True

    def _stop(self) -> None:
        if self.is_running():
            with suppress(ProcessLookupError):  # it ended by itself just now
                os.kill(self._pid(), signal.SIGTERM)
            _wait(lambda: not self.is_running(), STOP_TIMEOUT)
        if self.is_running():
            raise AwsError(
                f"the AWS emulator (process {self._pid()}) does not end", hint=f"look at {self.log}, or kill it"
            )

    def _is_renewal_due(self) -> bool:
        """Return whether the running server's certificate ends soon, or a file of it is missing.

        It is as old as its file: every command asks, and parsing it takes longer than the rest.
        """
        try:
            age = self.now() - min(file.stat().st_mtime for file in (self.folder / "ca.pem", self._certificate))
        except OSError:
            return True
        return age > CERTIFICATE_RENEWED_AFTER

    def describe(self) -> list[str]:
        """Where it answers, and how to point the AWS CLI at it: a line each."""
        endpoint = self.endpoint()
        if not self.is_running():
            return ["the AWS emulator is down; it starts by itself, or with: invoke local.up"]
        return [
            f"the AWS emulator is up at {endpoint.url}",
            f"CA file: {endpoint.ca_file}",
            f"log: {self.log}",
            "The AWS CLI as the root of an account, whose number is the access key:",
            f"  export AWS_ENDPOINT_URL={endpoint.url} AWS_CA_BUNDLE={shlex.quote(str(endpoint.ca_file))}",
            "  export AWS_ACCESS_KEY_ID=111122223333 AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-west-2",
            "So that vaunset undoes it:",
            '  export VENUE_ACCESS_AWS_ENDPOINT_URL="$AWS_ENDPOINT_URL" VENUE_ACCESS_AWS_CA_BUNDLE="$AWS_CA_BUNDLE"',
        ]

    def _start(self) -> None:
        if any(importlib.util.find_spec(package) is None for package in ("ministack", "cryptography")):
            raise UsageError(
                "this venue lives on the AWS emulator, which is not installed",
                hint="install it with: scripts/bootstrap --emulator",
            )
        ca = self.folder / "ca.pem"
        from venue_access.emulator.certificate import is_fit, write_certificate

        now = datetime.fromtimestamp(self.now(), timezone.utc)
        if self._is_renewal_due() or not is_fit(ca, self._certificate, host=HOST, now=now):
            write_certificate(ca, self._certificate, host=HOST, now=now)
        port = self._port() if _is_free(self._port()) else _free_port()
        write_private(self.folder / "port", str(port))
        self.seeded.unlink(missing_ok=True)  # what a killed server held is gone
        try:
            # Opened here and inherited, so that the lock lives exactly as long as the server does.
            lock = os.open(self.folder / "running.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise unwritable(self.folder, error) from error
        try:
            _wait(lambda: _took(lock), START_TIMEOUT)  # a look by is_running() holds it for a moment
            subprocess.Popen(
                # The shell writes its own process id and becomes the server: there is no moment without one.
                ["/bin/sh", "-c", 'umask 077 && echo $$ >"$0" && exec "$@"', str(self.folder / "pid")]
                + [sys.executable, "-m", "hypercorn", "ministack.app:app", "--bind", f"{HOST}:{port}"]
                + ["--certfile", str(self._certificate), "--keyfile", str(self._certificate)]
                # No workers: a killed server must not leave a child behind that has its port and its state.
                + ["--workers", "0", "--keep-alive", "75", "--log-level", "WARNING"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=self._environment(port),
                pass_fds=(lock,),
                start_new_session=True,
            )
        finally:
            os.close(lock)
            os.close(log)

    def _environment(self, port: int) -> dict[str, str]:
        """What MiniStack is told; nothing of the operator's own environment, whose AWS keys it would take for root."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.folder),
            "TMPDIR": str(private_directory(self.folder / "tmp")),
            "GATEWAY_PORT": str(port),
            "MINISTACK_HOST": HOST,
            "AUTH": "true",
            "USE_SSL": "1",
            "MINISTACK_SSL_CERT": str(self._certificate),
            "MINISTACK_SSL_KEY": str(self._certificate),
            "PERSIST_STATE": "1",
            "STATE_DIR": str(private_directory(self.folder / "state")),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(private_directory(self.folder / "s3")),
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
        }

    def _pid(self) -> int:
        """The server's process: whoever holds the lock has written it.

        :raises AwsError: the file was tampered with.
        """
        path = self.folder / "pid"
        try:
            return int(path.read_text(encoding="ascii"))
        except (OSError, ValueError) as error:
            raise AwsError(
                f"the AWS emulator runs, and {path} does not say as which process", hint=f"find it: fuser {self.log}"
            ) from error

    def _port(self) -> int:
        try:
            port = int((self.folder / "port").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return 0
        return port if 0 < port < 65_536 else 0


def aws_emulator(work_directory: Path) -> AwsEmulator:
    """The AWS emulator of a work directory."""
    return AwsEmulator(work_directory / "local-aws")


def _took(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((HOST, port)) == 0


def _is_free(port: int) -> bool:
    if port == 0:
        return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _wait(done: Callable[[], bool], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not done() and time.monotonic() < deadline:
        time.sleep(0.05)


def _tail(path: Path, lines: int = 5) -> str:
    try:
        return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
