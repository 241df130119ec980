"""The doctor's check of recipients' keys."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.certificates import NOW, Card
from tests.stacks import a_venue
from venue_access.doctor.checks import Level, recipients
from venue_access.inventory.model import Recipient

AGE = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
SECRET = "AGE-SECRET-KEY-1" + "Q" * 58


def found(folder: Path, *keys: str, email: str | None = "alice@example.org") -> list[tuple[str, Level, str]]:
    """What is found of alice's keys, who is a recipient of two venues."""
    alice = Recipient("alice", email=email, keys=keys)
    venues = [
        a_venue(name, users=MappingProxyType({"alice": alice, "bob": Recipient("bob")}))
        for name in ("unity-dev", "unity-test")
    ]
    return [(check.what, check.level, check.found) for check in recipients(venues, folder, NOW)]


def test_usable_keys_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "alice.pub").write_text(f"# mine\n{AGE}\n")
    (tmp_path / "alice.pem").write_text(Card().pem)
    assert found(tmp_path, AGE, "alice.pub", "alice.pem") == [
        ("recipients", Level.OK, "3 keys that tokens can be encrypted to")
    ]
    assert found(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: no such file"),
        (b"", "contains no key"),
        (SECRET.encode(), "contains a private key"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nx\n", "contains a private key"),
        (AGE[:-1].encode(), "cannot encrypt to the key"),
        (b"ecdsa-sha2-nistp256 AAAA", "cannot encrypt to the key"),
        (b"-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n", "is not a valid X.509 certificate"),
        (Card(begins=timedelta(days=1)).pem.encode(), "is not valid before"),
        (b"x" * 100_000, "is longer than any key"),
    ],
)
def test_unusable_key_is_named(content: bytes | None, said: str, tmp_path: Path) -> None:
    (tmp_path / "good.pub").write_text(AGE)
    if content is not None:
        (tmp_path / "alice.pem").write_bytes(content)
    [(what, level, message)] = found(tmp_path, "good.pub", "alice.pem")
    assert (what, level) == ("keys of alice", Level.ERROR)
    assert said in message
    assert SECRET not in message


def test_pipe_and_folder_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "alice.pub")
    (tmp_path / "alice.pem").mkdir()
    assert [level for _, level, _ in found(tmp_path, "alice.pub", "alice.pem")] == [Level.ERROR, Level.ERROR]


def test_certificate_of_another_person_is_named(tmp_path: Path) -> None:
    (tmp_path / "alice.pem").write_text(Card().pem)
    [(_, level, message)] = found(tmp_path, "alice.pem", email="bob@example.org")
    assert (level, "it is not for bob@example.org" in message) == (Level.ERROR, True)
