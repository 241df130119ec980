"""Which keys are encrypted to, and what is no key."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from venue_access.errors import UsageError
from venue_access.inventory.model import Recipient
from venue_access.tokens.encryption.age import read_key
from venue_access.tokens.encryption.keys import find_keys

AGE = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
SSH = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN"
PEM = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----"
ALICE = Recipient("alice", keys=(AGE, "alice.pub"))


def found(recipient: Recipient, to: str | None, folder: Path) -> list[str]:
    return [key.content.decode() for key in find_keys(recipient, to, folder=folder)]


def test_key_files_are_relative_to_the_inventory(tmp_path: Path) -> None:
    (tmp_path / "alice.pub").write_text(f"# at work\n{SSH} alice@work\n\n{AGE}\n")
    assert found(ALICE, None, tmp_path) == [AGE, f"{SSH} alice@work", AGE]


def test_pipe_as_key_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "alice.pub")
    with pytest.raises(UsageError, match=r"alice\.pub' is not a file"):
        found(ALICE, None, tmp_path)


def test_given_keys_override_the_inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a,b.txt").write_text(AGE)
    assert found(ALICE, f"{SSH} alice,bob, at home,{AGE}", tmp_path) == [f"{SSH} alice,bob,at home", AGE]
    assert found(ALICE, "a,b.txt", tmp_path) == [AGE]
    assert found(ALICE, PEM, tmp_path) == [PEM]


def test_first_kind_in_the_inventory_is_used_and_a_given_mixture_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found(Recipient("alice", keys=(AGE, PEM)), None, tmp_path) == [AGE]
    assert found(Recipient("alice", keys=(PEM, AGE)), None, tmp_path) == [PEM]
    monkeypatch.chdir(tmp_path)
    Path("alice.pem").write_text(PEM)
    with pytest.raises(UsageError, match="--recipient has keys for age and certificates"):
        find_keys(ALICE, f"{AGE},alice.pem", folder=tmp_path)


@pytest.mark.parametrize(
    ("to", "message"),
    [
        (None, "no recipient key of bob is known\n  add one to 'users:'"),
        ("", "the recipient key is empty"),
        (f"{AGE},", "the recipient key is empty"),
        ("alice.pub", "the key file 'alice.pub' cannot be read: no such file or directory\n  give the"),
        (".", "cannot be read: is a directory"),
        ("/dev/zero", "is longer than any key"),
        ("/dev/null", "contains no key"),
        ("x" * 2000, "'xxxxxxxxxxxxxxxxxxxxxxxx'... is not a key"),
        ("AGE-SECRET-KEY-1HUNTER2", "the key given contains a private key"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nHUNTER2", "the key given contains a private key"),
    ],
)  # fmt: skip
def test_invalid_key_is_refused(to: str | None, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        find_keys(Recipient("bob"), to, folder=tmp_path)
    assert message in str(refused.value)
    assert "HUNTER2" not in str(refused.value)


def test_file_with_a_private_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key.txt").write_text(f"# public key: {AGE}\nAGE-SECRET-KEY-1HUNTER2\n")
    with pytest.raises(UsageError, match=r"key\.txt contains a private key"):
        find_keys(Recipient("alice", keys=("key.txt",)), None, folder=tmp_path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (AGE[:-1], "cannot encrypt to the key 'age1ql3z7hjy54pw3hyww5ay...': it is damaged, or its kind"),
        ("age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t", "its kind is not supported"),
        (SSH[:-4], "it is damaged"),
        ("ecdsa-sha2-nistp256 AAAA", "ecdsa-sha2-nistp256 keys only sign"),
        ("sk-ssh-ed25519@openssh.com AAAA", "keys only sign"),
        ("hello", "it is not a public key"),
        ("", "it is not a public key"),
    ],
)
def test_unsupported_key_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_key(text)
    assert reason in str(refused.value)


def test_fingerprints_equal_those_of_the_tools() -> None:
    assert read_key(AGE).fingerprint == AGE
    assert read_key(f"{SSH} alice@work") == read_key(SSH)
    fingerprint = read_key(SSH).fingerprint
    assert fingerprint.startswith("SHA256:")
    assert len(base64.b64decode(fingerprint.removeprefix("SHA256:") + "=")) == 32
