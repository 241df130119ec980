"""When the emulator renews its certificate."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from venue_access.emulator.certificate import RENEWAL, VALIDITY, is_valid, write_certificate
from venue_access.emulator.server import CERTIFICATE_RENEWED_AFTER, HOST

MADE = datetime(2026, 11, 20, tzinfo=timezone.utc)


def written(folder: Path) -> tuple[Path, Path]:
    files = folder / "ca.pem", folder / "server.pem"
    write_certificate(*files, host=HOST, now=MADE)
    return files


@pytest.mark.parametrize(
    ("age", "valid"),
    [
        (timedelta(0), True),
        (VALIDITY - RENEWAL - timedelta(minutes=1), True),
        (VALIDITY - RENEWAL, False),
        (VALIDITY + timedelta(days=1), False),
        (timedelta(hours=-2), False),
    ],
)
def test_certificate_is_valid_until_a_month_before_its_end(age: timedelta, valid: bool, tmp_path: Path) -> None:
    assert is_valid(*written(tmp_path), host=HOST, now=MADE + age) is valid


def test_running_server_is_renewed_at_the_same_time() -> None:
    assert timedelta(seconds=CERTIFICATE_RENEWED_AFTER) == VALIDITY - RENEWAL


def other(folder: Path) -> bytes:
    folder.mkdir()
    return written(folder)[1].read_bytes()


DAMAGE: dict[str, Callable[[Path, Path], object]] = {
    "no CA": lambda ca, server: ca.unlink(),
    "an empty CA": lambda ca, server: ca.write_bytes(b""),
    "no server": lambda ca, server: server.unlink(),
    "noise": lambda ca, server: server.write_bytes(b"\xff\x00"),
    "cut off": lambda ca, server: server.write_bytes(server.read_bytes()[:-100]),
    "no key": lambda ca, server: server.write_bytes(server.read_bytes().partition(b"-----BEGIN EC PRIVATE")[0]),
    "of another CA": lambda ca, server: server.write_bytes(other(ca.parent / "other")),
    "another key": lambda ca, server: server.write_bytes(
        server.read_bytes().partition(b"-----BEGIN EC PRIVATE")[0]
        + b"-----BEGIN EC PRIVATE"
        + other(ca.parent / "other").partition(b"-----BEGIN EC PRIVATE")[2]
    ),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damaged_certificate_is_not_valid(damage: Callable[[Path, Path], object], tmp_path: Path) -> None:
    files = written(tmp_path)
    damage(*files)
    assert not is_valid(*files, host=HOST, now=MADE)


def test_certificate_for_another_host_is_not_valid(tmp_path: Path) -> None:
    assert not is_valid(*written(tmp_path), host="127.0.0.2", now=MADE)


def test_files_are_private_and_python_trusts_the_certificate(tmp_path: Path) -> None:
    """A TLS handshake by RFC 5280, as Python 3.13 verifies by default."""
    ca, server = tmp_path / "ca.pem", tmp_path / "server.pem"
    write_certificate(ca, server, host=HOST)
    assert {file.stat().st_mode & 0o777 for file in (ca, server)} == {0o600}
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(server)
    ours = ssl.create_default_context(cafile=str(ca))
    ours.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        theirs.wrap_bio(to_server, to_client, server_side=True),
        ours.wrap_bio(to_client, to_server, server_hostname=HOST),
    ]
    while ends:
        for end in [*reversed(ends)]:
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
                ends.remove(end)
