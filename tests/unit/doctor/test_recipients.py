"""Which recipients' keys the doctor finds fit to encrypt to."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.certificates import NOW, Card
from tests.stacks import a_venue
from venue_access.doctor.check import Grade
from venue_access.doctor.host_checks import recipients
from venue_access.inventory.model import Recipient

AGE = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
SECRET = "AGE-SECRET-KEY-1" + "Q" * 58


def found(folder: Path, *keys: str, email: str | None = "alice@example.org") -> list[tuple[str, Grade, str]]:
    """What is found of alice's keys, who is a recipient of two venues."""
    alice = Recipient("alice", email=email, keys=keys)
    venues = [
        a_venue(name, users=MappingProxyType({"alice": alice, "bob": Recipient("bob")}))
        for name in ("unity-dev", "unity-test")
    ]
    return [(check.what, check.grade, check.found) for check in recipients(venues, folder, NOW)]


def test_keys_that_are_fit_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "alice.pub").write_text(f"# mine\n{AGE}\n")
    (tmp_path / "alice.pem").write_text(Card().pem)
    assert found(tmp_path, AGE, "alice.pub", "alice.pem") == [
        ("recipients", Grade.GOOD, "3 keys that tokens can be encrypted to")
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
def test_a_key_that_is_not_is_told_beside_those_that_are(content: bytes | None, said: str, tmp_path: Path) -> None:
    (tmp_path / "good.pub").write_text(AGE)
    if content is not None:
        (tmp_path / "alice.pem").write_bytes(content)
    [(what, grade, message)] = found(tmp_path, "good.pub", "alice.pem")
    assert (what, grade) == ("keys of alice", Grade.WRONG)
    assert said in message
    assert SECRET not in message


def test_a_pipe_is_not_waited_for_and_a_folder_is_no_key(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "alice.pub")
    (tmp_path / "alice.pem").mkdir()
    assert [grade for _, grade, _ in found(tmp_path, "alice.pub", "alice.pem")] == [Grade.WRONG, Grade.WRONG]


def test_a_certificate_of_somebody_else_is_told(tmp_path: Path) -> None:
    (tmp_path / "alice.pem").write_text(Card().pem)
    [(_, grade, message)] = found(tmp_path, "alice.pem", email="bob@example.org")
    assert (grade, "it is not for bob@example.org" in message) == (Grade.WRONG, True)
