"""The server of the AWS emulator: MiniStack with IAM enforced, one process per work directory, over TLS on 127.0.0.1.

The server process holds a lock on a file while it runs: a killed server is noticed at once, and no other process is
mistaken for it.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from venue_access.aws.client import AwsClient, Credentials, Endpoint
from venue_access.config import assets
from venue_access.errors import AwsError, UsageError
from venue_access.files import locked, private_directory, unwritable, write_private
from venue_access.inventory.model import Venue
from venue_access.sensitive import Secret

HOST = "127.0.0.1"
START_TIMEOUT = 60.0
CERTIFICATE_RENEWED_AFTER = 795 * 86_400.0
"""Seconds: a month before its end (``certificate.VALIDITY``, which is slow to import)."""
STOP_TIMEOUT = 60.0  # a client with an open connection can delay the end by 30 s


@dataclass(frozen=True)
class AwsEmulator:
    """The AWS emulator of one work directory."""

    folder: Path
    """Holds its state, certificate and log."""
    now: Callable[[], float] = time.time

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def seeded(self) -> Path:
        """Return the file with the ``fingerprint`` of what was seeded; missing if the server started since."""
        return self.folder / "seeded"

    @property
    def _certificate(self) -> Path:
        return self.folder / "server.pem"

    def endpoint(self, url: str | None = None) -> Endpoint:
        """Return its endpoint, also while it is down: it has the same port after a stop.

        :param url: the URL of a proxy in front of it.
        """
        return Endpoint(
            url or f"https://{HOST}:{self._port()}",
            self.folder / "ca.pem",
            is_local=True,
            # MiniStack 1.5.33 authorizes it against ``*``, not against the resources that are named.
            misjudged_actions=frozenset({"ecr:DescribeRepositories"}),
        )

    def root(self, account_id: str, region: str, url: str | None = None) -> AwsClient:
        """Return the client of an account's root user: MiniStack accepts the account's number as its access key."""
        credentials = Credentials(account_id, Secret("test"))
        return AwsClient(region=region, credentials=credentials, endpoint=self.endpoint(url))

    def is_seeded(self, venues: Sequence[Venue]) -> bool:
        """Return whether it was seeded for these venues since the server started."""
        try:
            return self.seeded.read_bytes() == fingerprint(venues).encode()
        except OSError:
            return False

    def is_running(self) -> bool:
        """Return whether the server process runs; it may still be starting."""
        try:
            descriptor = os.open(self.folder / "running.lock", os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return False
        try:
            return not _lock(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    def up(self) -> bool:
        """Start the server unless it runs, wait until it responds, and return whether this call started it.

        Two simultaneous calls start one server.

        :raises UsageError: it is not installed.
        :raises AwsError: it does not start; the message quotes the end of its log.
        """
        if self.is_running() and _responds(self._port()) and not self._is_renewal_due():
            return False
        private_directory(self.folder)
        with locked(self.folder / "start.lock", timeout=START_TIMEOUT):
            if self._is_renewal_due():  # only a new process reads a new certificate; its state outlives that
                self._stop()
            started = not self.is_running()
            if started:
                self._start()
            _wait(lambda: _responds(self._port()) or not self.is_running(), START_TIMEOUT)
            if not (self.is_running() and _responds(self._port())):
                end = ""
                with suppress(OSError):
                    end = "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:])
                raise AwsError(
                    f"the AWS emulator does not start; the end of {self.log}:\n{end}",
                    hint="invoke local.down, then run the command again",
                )
        return started

    def down(self) -> bool:
        """Stop the server cleanly, which saves its state; return whether it ran.

        :raises AwsError: it does not stop.
        """
        if not self.is_running():
            return False
        with locked(self.folder / "start.lock", timeout=START_TIMEOUT):
            self._stop()
        return True

    def _stop(self) -> None:
        if not self.is_running():
            return
        path = self.folder / "pid"  # written by the holder of the lock
        try:
            process = int(path.read_text(encoding="ascii"))
        except (OSError, ValueError) as error:
            raise AwsError(
                f"the AWS emulator runs, but {path} does not hold its process ID", hint=f"find it: fuser {self.log}"
            ) from error
        with suppress(ProcessLookupError):  # it ended just now
            os.kill(process, signal.SIGTERM)
        _wait(lambda: not self.is_running(), STOP_TIMEOUT)
        if self.is_running():
            raise AwsError(
                f"the AWS emulator (process {process}) does not stop", hint=f"look at {self.log}, or kill it"
            )

    def _is_renewal_due(self) -> bool:
        """Return whether the server's certificate expires soon, or one of its files is missing.

        The age of the files decides: every command checks, and parsing a certificate takes longer than all the rest.
        """
        try:
            age = self.now() - min(file.stat().st_mtime for file in (self.folder / "ca.pem", self._certificate))
        except OSError:
            return True
        return age > CERTIFICATE_RENEWED_AFTER

    def describe(self) -> list[str]:
        """Return the lines of ``local.status``: the endpoint, and how to use the AWS CLI with it."""
        endpoint = self.endpoint()
        if not self.is_running():
            return ["the AWS emulator is down; it starts when a command needs it, or with: invoke local.up"]
        return [
            f"the AWS emulator is up at {endpoint.url}",
            f"CA file: {endpoint.ca_file}",
            f"log: {self.log}",
            "To use the AWS CLI as the root user of an account, whose number is the access key:",
            f"  export AWS_ENDPOINT_URL={endpoint.url} AWS_CA_BUNDLE={shlex.quote(str(endpoint.ca_file))}",
            "  export AWS_ACCESS_KEY_ID=111122223333 AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-west-2",
            "So that vaunset unsets it too:",
            '  export VENUE_ACCESS_AWS_ENDPOINT_URL="$AWS_ENDPOINT_URL" VENUE_ACCESS_AWS_CA_BUNDLE="$AWS_CA_BUNDLE"',
        ]

    def _start(self) -> None:
        if any(importlib.util.find_spec(package) is None for package in ("ministack", "trustme")):
            raise UsageError(
                "the venue is on the AWS emulator, which is not installed",
                hint="install it with: scripts/bootstrap --emulator",
            )
        ca = self.folder / "ca.pem"
        from venue_access.emulator.certificate import is_valid, write_certificate

        now = datetime.fromtimestamp(self.now(), timezone.utc)
        if self._is_renewal_due() or not is_valid(ca, self._certificate, host=HOST, now=now):
            write_certificate(ca, self._certificate, host=HOST, now=now)
        port = _free_port(self._port())
        write_private(self.folder / "port", str(port))
        self.seeded.unlink(missing_ok=True)  # a killed server has lost its state
        try:
            # The server inherits it, so that the lock lasts exactly as long as its process.
            lock = os.open(self.folder / "running.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise unwritable(self.folder, error) from error
        try:
            _wait(lambda: _lock(lock, fcntl.LOCK_EX), START_TIMEOUT)  # is_running() holds it for a moment
            subprocess.Popen(
                # The shell writes its own process ID and becomes the server: the file is never missing while it runs.
                ["/bin/sh", "-c", 'umask 077 && echo $$ >"$0" && exec "$@"', str(self.folder / "pid")]
                + [sys.executable, "-m", "hypercorn", "ministack.app:app", "--bind", f"{HOST}:{port}"]
                + ["--certfile", str(self._certificate), "--keyfile", str(self._certificate)]
                # No workers: the child of a killed server would keep its port and its state.
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
        """Return MiniStack's environment, without the operator's own: it would use AWS credentials in it as root's."""
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

    def _port(self) -> int:
        try:
            port = int((self.folder / "port").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return 0
        return port if 0 < port < 65_536 else 0


def fingerprint(venues: Sequence[Venue]) -> str:
    """Return a digest of what the accounts of these venues are seeded from: the venues, and the kit's own policies."""
    folders = (Path(__file__).parent, Path(__file__).parents[1] / "policies", assets("templates") / "policies")
    sources = sorted(file for folder in folders for file in folder.iterdir() if file.is_file())
    return hashlib.sha256(repr([venues, *(file.stat().st_mtime_ns for file in sources)]).encode()).hexdigest()


def aws_emulator(work_directory: Path) -> AwsEmulator:
    """Return the AWS emulator of a work directory."""
    return AwsEmulator(work_directory / "local-aws")


def _lock(descriptor: int, kind: int) -> bool:
    """Lock an open file unless another process has; return whether it is locked."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _responds(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((HOST, port)) == 0


def _free_port(preferred: int) -> int:
    """Return ``preferred`` if that port is free and not 0, else another."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, preferred))
        except OSError:
            probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _wait(done: Callable[[], bool], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not done() and time.monotonic() < deadline:
        time.sleep(0.05)
