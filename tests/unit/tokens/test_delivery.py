"""Output targets, and the delivery method that the flags choose."""

from __future__ import annotations

import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.stacks import a_venue
from venue_access.aws.client import AssumedRole
from venue_access.errors import UsageError
from venue_access.tokens.delivery import DeliveryOptions, OutputTarget, delivery_method

CHECKOUT = Path(__file__).resolve().parents[3]
NAME = "alice-20261120T221500Z-3f9c21ab"


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


def test_file_is_created_under_the_given_or_default_name(tmp_path: Path) -> None:
    for out, expected in ((None, NAME), ("token.json", "token.json"), (str(tmp_path), str(tmp_path / "other"))):
        path = OutputTarget.of(out, multiple=False).write(NAME if out is None else "other", b"text")
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
        ("token.json", True, "--out token.json is not a folder"),
    ],
)
def test_output_that_cannot_be_created_is_refused(out: str, several: bool, message: str) -> None:
    Path("there").write_text("theirs")
    Path("link").symlink_to("nowhere")
    with pytest.raises(UsageError) as refused:
        OutputTarget.of(out, multiple=several)
    assert message in refused.value.message
    assert not Path("nowhere").exists()


@pytest.mark.parametrize("out", [None, "token.json"])
def test_full_disk_is_found_before_the_issue(out: str | None, tmp_path: Path) -> None:
    with full_disk(), pytest.raises(UsageError, match="cannot write"):
        OutputTarget.of(out, multiple=False)
    with full_disk(), pytest.raises(UsageError, match="cannot write token: file too large"):
        OutputTarget(Path()).write("token", b"text")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "several", "message"),
    [
        (
            DeliveryOptions(recipient="age1"),
            False,
            "--recipient requires --encrypt\n  add --encrypt",
        ),
        (DeliveryOptions(passphrase=True), False, "--passphrase requires --encrypt"),
        (DeliveryOptions(encrypt=True, recipient="age1"), True, "--recipient is for one user"),
        (DeliveryOptions(encrypt=True, format="env"), False, "--encrypt and --format env exclude each other"),
        (
            DeliveryOptions(encrypt=True, recipient="age1", passphrase=True),
            False,
            "--recipient and --passphrase exclude each other",
        ),
    ],
)
def test_contradicting_options_are_refused(options: DeliveryOptions, several: bool, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        delivery_method(options, a_venue(), multiple=several, text=plain, keys_folder=Path())
    assert message in str(refused.value)


def test_encryption_packages_load_when_used() -> None:
    script = (
        "import sys, venue_access.tokens.issue, venue_access.tokens.encryption.delivery\n"
        "loaded = lambda: sorted({'pyrage', 'cryptography'} & set(sys.modules))\n"
        "print(loaded())\nimport venue_access.tokens.encryption.age\nprint(loaded())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n['pyrage']\n"
