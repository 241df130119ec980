"""What is written where, and what is told of a token that is out and did not arrive."""

from __future__ import annotations

import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

import pytest

from tests.stacks import a_venue
from tests.unit.tokens.tokens import a_token
from venue_access.aws.client import AssumedRole
from venue_access.errors import UsageError
from venue_access.inventory.model import Recipient
from venue_access.tokens.delivery import DeliveryOptions, OutputTarget
from venue_access.tokens.handover import handover
from venue_access.tokens.issue import Issued

CHECKOUT = Path(__file__).resolve().parents[3]
NAME = "alice-20261120T221500Z-3f9c21ab"
ISSUED = Issued(a_venue(), Recipient("alice"), NAME, datetime(2026, 11, 20, 21, 15, tzinfo=timezone.utc), a_token())


def plain(token: AssumedRole) -> str:
    return token.credentials.secret_access_key.reveal()


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@contextmanager
def full_disk() -> Iterator[None]:
    """As good as one: no file may be longer than nothing; not even the one that pytest may be writing to."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_file_is_made_where_it_was_asked_for_or_under_a_name_of_its_own(tmp_path: Path) -> None:
    for out, expected in ((None, NAME), ("token.json", "token.json"), (str(tmp_path), str(tmp_path / "other"))):
        path = OutputTarget.of(out, several=False).write(NAME if out is None else "other", b"text")
        assert str(path) == expected
        assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"text", 0o600)


@pytest.mark.parametrize(
    ("out", "several", "message"),
    [
        ("", False, "--out is empty"),
        ("there", False, "there already exists"),
        ("link", False, "link already exists"),
        ("/dev/null", False, "/dev/null already exists"),
        ("missing/token.json", False, "cannot write missing: no such file or directory"),
        ("there/token.json", False, "cannot write there/token.json: not a directory"),
        ("x" * 300, False, "file name too long"),
        ("token.json", True, "--out token.json is no folder"),
    ],
)
def test_a_place_where_no_file_can_be_made_is_refused_beforehand(out: str, several: bool, message: str) -> None:
    Path("there").write_text("theirs")
    Path("link").symlink_to("nowhere")
    with pytest.raises(UsageError) as refused:
        OutputTarget.of(out, several=several)
    assert message in refused.value.message
    assert not Path("nowhere").exists()


@pytest.mark.parametrize("out", [None, "token.json"])
def test_a_full_disk_is_seen_beforehand_and_leaves_nothing(out: str | None, tmp_path: Path) -> None:
    with full_disk(), pytest.raises(UsageError, match="cannot write"):
        OutputTarget.of(out, several=False)
    with full_disk(), pytest.raises(UsageError, match="cannot write token: file too large"):
        OutputTarget(Path()).write("token", b"text")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "several", "message"),
    [
        (
            DeliveryOptions(recipient="age1"),
            False,
            "--recipient says how to encrypt, and nothing is to be encrypted\n  say --encrypt too",
        ),
        (DeliveryOptions(passphrase=True), False, "--passphrase says how to encrypt"),
        (DeliveryOptions(encrypt=True, recipient="age1"), True, "--recipient is of one recipient"),
        (DeliveryOptions(encrypt=True, format="env"), False, "what is encrypted holds the AWS JSON"),
        (
            DeliveryOptions(encrypt=True, recipient="age1", passphrase=True),
            False,
            "--recipient and --passphrase exclude each other",
        ),
    ],
)
def test_wishes_that_contradict_each_other_are_refused(options: DeliveryOptions, several: bool, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        handover(options, a_venue(), several=several, text=plain, keys_folder=Path())
    assert message in str(refused.value)


def test_what_is_not_encrypted_loads_no_package_for_it_and_each_seal_only_its_own() -> None:
    script = (
        "import sys, venue_access.tokens.handover, venue_access.tokens.external_id\n"
        "loaded = lambda: sorted({'pyrage', 'cryptography'} & set(sys.modules))\n"
        "print(loaded())\nimport venue_access.tokens.encryption.age\nprint(loaded())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n['pyrage']\n"
