"""When the emulator's certificate is fit to be used on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from venue_access.emulator.certificate import RENEWAL, VALIDITY, is_fit, write_certificate
from venue_access.emulator.server import CERTIFICATE_RENEWED_AFTER, HOST

MADE = datetime(2026, 11, 20, tzinfo=timezone.utc)


def written(folder: Path) -> tuple[Path, Path]:
    files = folder / "ca.pem", folder / "server.pem"
    write_certificate(*files, host=HOST, now=MADE)
    return files


@pytest.mark.parametrize(
    ("age", "fit"),
    [
        (timedelta(0), True),
        (VALIDITY - RENEWAL - timedelta(minutes=1), True),
        (VALIDITY - RENEWAL, False),
        (VALIDITY + timedelta(days=1), False),
        (timedelta(hours=-2), False),
    ],
)
def test_it_is_fit_until_a_month_before_its_end(age: timedelta, fit: bool, tmp_path: Path) -> None:
    assert is_fit(*written(tmp_path), host=HOST, now=MADE + age) is fit


def test_a_running_server_is_given_a_new_one_at_the_same_time() -> None:
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
    "no key": lambda ca, server: server.write_bytes(server.read_bytes().partition(b"-----BEGIN PRIVATE")[0]),
    "of another CA": lambda ca, server: server.write_bytes(other(ca.parent / "other")),
    "another key": lambda ca, server: server.write_bytes(
        server.read_bytes().partition(b"-----BEGIN PRIVATE")[0]
        + b"-----BEGIN PRIVATE"
        + other(ca.parent / "other").partition(b"-----BEGIN PRIVATE")[2]
    ),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_what_is_damaged_is_not_fit(damage: Callable[[Path, Path], object], tmp_path: Path) -> None:
    files = written(tmp_path)
    damage(*files)
    assert not is_fit(*files, host=HOST, now=MADE)


def test_one_for_another_host_is_not_fit(tmp_path: Path) -> None:
    assert not is_fit(*written(tmp_path), host="127.0.0.2", now=MADE)
