"""Encrypted tokens, opened by what recipients have: age, openssl, tar, a mail program's parser."""

from __future__ import annotations

import base64
import email
import email.policy
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Card
from tests.functional.kit import CHECKOUT, Kit, Result
from tests.functional.terminal import at_terminal
from venue_access.tokens.encryption.age import read_key
from venue_access.tokens.encryption.smime import read_certificate

needs_age = pytest.mark.skipif(shutil.which("age") is None, reason="age is not installed: .ci/run does that")
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
ENCRYPT = ("issue-token", "--user", "alice", "--venue", "shared-dev", "--encrypt")


def run(*command: str | Path, typed: bytes | None = None) -> bytes:
    done = subprocess.run(command, input=typed, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def unpacked(archive: bytes) -> dict[str, str]:
    """The files of a decrypted bundle, by name."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        entries = [(each, tar.extractfile(each)) for each in tar if each.isfile()]
        return {Path(entry.name).name: file.read().decode() for entry, file in entries if file is not None}


def encrypted_file(kit: Kit, result: Result) -> Path:
    """The one file that a command wrote, which is all that it printed."""
    assert result.code == 0, result.err
    path = kit.folder / result.out.rstrip("\n")
    assert path.stat().st_mode & 0o777 == 0o600
    return path


def works(kit: Kit, token: dict[str, Any]) -> bool:
    """Whether AWS knows the token by the name of the file that it came in."""
    return kit.session(token).caller().arn == str(token["AssumedRoleUser"]["Arn"])


def is_nowhere(kit: Kit, token: dict[str, Any], result: Result) -> bool:
    """Whether neither secret of a token is in what was printed, in the folder or in the work directory."""
    canaries = [token["Credentials"]["SecretAccessKey"], token["Credentials"]["SessionToken"]]
    canaries += [base64.b64encode(each.encode()).decode()[:40] for each in canaries]
    files = [file for file in kit.folder.rglob("*") if file.is_file()]
    files += [file for file in kit.work_directory.rglob("*") if file.is_file() and "local-aws" not in file.parts]
    texts = [result.out.encode(), result.err.encode(), *(file.read_bytes() for file in files)]
    return not any(canary.encode() in text for canary in canaries for text in texts)


# -- age -------------------------------------------------------------------------------------------------------------


def a_key(kind: str, folder: Path) -> tuple[Path, str]:
    """A recipient's private key file and public key."""
    private = folder / f"key-{kind}"
    if kind == "age":
        run("age-keygen", "-o", private)
        return private, run("age-keygen", "-y", private).decode().strip()
    run("ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "alice, at home", "-f", private)
    return private, private.with_suffix(".pub").read_text().strip()


@needs_age
@pytest.mark.parametrize("kind", ["age", "ed25519", "rsa"])
def test_age_decrypts_bundle(kind: str, provisioned: tuple[Kit, str], tmp_path: Path) -> None:
    kit, venue = provisioned
    private, public = a_key(kind, tmp_path)
    result = kit.done(*ENCRYPT, "--recipient", public)
    path = encrypted_file(kit, result)
    files = unpacked(run("age", "-d", "-i", private, path))
    token = json.loads(files["token.json"])
    assert works(kit, token)
    assert path.name == token["AssumedRoleUser"]["Arn"].rpartition("/")[2] + ".age"
    assert f"Your access to {venue}, for alice" in files["README.txt"]
    assert token["Credentials"]["SecretAccessKey"] not in files["README.txt"]
    assert is_nowhere(kit, token, result)


@needs_age
def test_any_key_of_a_file_decrypts_and_folder_can_be_chosen(provisioned: tuple[Kit, str], tmp_path: Path) -> None:
    kit, _ = provisioned
    keys = [a_key(kind, tmp_path) for kind in ("age", "ed25519")]
    shown = run("ssh-keygen", "-lf", tmp_path / "key-ed25519.pub").decode().split()[1]
    assert read_key(keys[1][1]).fingerprint == shown
    (tmp_path / "alice.txt").write_text("".join(f"{public}\n" for _, public in keys))
    result = kit.done(*ENCRYPT, "--recipient", str(tmp_path / "alice.txt"), "--out", str(tmp_path))
    assert Path(result.out.strip()).parent == tmp_path
    for private, _ in keys:
        assert "token.json" in unpacked(run("age", "-d", "-i", private, result.out.strip()))


@needs_age
def test_each_user_gets_a_file_only_they_can_decrypt(provisioned: tuple[Kit, str], tmp_path: Path) -> None:
    kit, venue = provisioned
    shared = Kit(tmp_path, kit.work_directory)
    shared.inventory = tmp_path / "inventory" / "hosts.yml"
    shared.inventory.parent.mkdir()
    shared.environment["INVOKE_INVENTORY"] = str(shared.inventory.parent)
    keys = {name: a_key(kind, tmp_path) for name, kind in (("alice", "age"), ("bob", "ed25519"))}
    hosts = json.loads(kit.inventory.read_text())["all"]["hosts"]
    hosts[venue]["users"] = {
        "alice": {"keys": [keys["alice"][1]]},
        "bob": {"keys": ["../key-ed25519.pub"]},  # relative to the inventory, all of whose files Ansible reads
        "carol": None,
    }
    shared.write_inventory(hosts)
    (tmp_path / "out").mkdir()
    result = shared("issue-token", "--user", "alice,bob,carol", "--venue", venue, "--encrypt", "--out", "out")
    assert result.code == 2
    assert "error: carol: no recipient key of carol is known" in result.err
    paths = dict(zip(keys, result.out.splitlines(), strict=True))
    for name, (private, _) in keys.items():
        assert "token.json" in unpacked(run("age", "-d", "-i", private, tmp_path / paths[name]))
    other = subprocess.run(["age", "-d", "-i", keys["alice"][0], tmp_path / paths["bob"]], capture_output=True)
    assert other.returncode != 0
    assert other.stdout == b""


@needs_age
def test_passphrase_is_shown_only_on_the_terminal(provisioned: tuple[Kit, str]) -> None:
    kit, _ = provisioned
    command = [sys.executable, "-m", "invoke", "--search-root", str(CHECKOUT), *ENCRYPT, "--passphrase"]
    issued = at_terminal(command, folder=kit.folder, environment=kit.environment)
    path = encrypted_file(kit, Result(issued.code, issued.out.decode(), issued.screen))
    (shown,) = re.findall(r"passphrase of (\S+), for alice: ([a-z-]{47})\r\n", issued.screen)
    assert shown[0] == path.name
    opened = at_terminal(["age", "-d", path], folder=kit.folder, environment=kit.environment, answer=shown[1])
    assert opened.code == 0, opened.screen
    token = json.loads(unpacked(opened.out)["token.json"])
    assert works(kit, token)
    assert is_nowhere(kit, token, Result(issued.code, "", issued.screen))
    assert shown[1].encode() not in (kit.work_directory / "ledger.jsonl").read_bytes()


def test_passphrase_requires_a_terminal(provisioned: tuple[Kit, str]) -> None:
    kit, _ = provisioned
    result = kit(*ENCRYPT, "--passphrase")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: there is no terminal to show a passphrase on\n")


# -- S/MIME ----------------------------------------------------------------------------------------------------------


@needs_openssl
@pytest.mark.parametrize("tool", ["cms", "smime"])
@pytest.mark.parametrize("form", ["pem", "der", "text"])
def test_openssl_decrypts_message_and_mail_parts_parse(
    tool: str, form: str, provisioned: tuple[Kit, str], tmp_path: Path
) -> None:
    kit, venue = provisioned
    card = Card()
    certificate, key = card.save(tmp_path)
    (tmp_path / "alice.der").write_bytes(card.der)
    to = {"pem": str(certificate), "der": str(tmp_path / "alice.der"), "text": card.pem}[form]
    result = kit.done(*ENCRYPT, "--recipient", to)
    path = encrypted_file(kit, result)
    assert path.suffix == ".eml"
    outside = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert (outside["To"], outside["Subject"]) == ("alice@example.org", f"Your access to {venue}")
    assert outside.get_content_type() == "application/pkcs7-mime"
    assert outside.get_param("smime-type") == "enveloped-data"

    opened = run("openssl", tool, "-decrypt", "-in", path, "-recip", certificate, "-inkey", key)
    note, attached = email.message_from_bytes(opened, policy=email.policy.default).iter_parts()
    token = json.loads(attached.get_content())
    assert attached.get_filename() == "token.json"
    assert works(kit, token)
    assert f"Your access to {venue}, for alice" in note.get_content()
    assert is_nowhere(kit, token, result)
    if tool == "cms":
        structure = run("openssl", "cms", "-cmsout", "-print", "-in", path).decode()
        assert "aes-256-cbc" in structure


@needs_openssl
def test_fingerprint_matches_openssl(tmp_path: Path) -> None:
    card = Card()
    certificate, _ = card.save(tmp_path)
    shown = run("openssl", "x509", "-in", certificate, "-noout", "-fingerprint", "-sha256").decode().strip()
    assert shown.partition("=")[2] == read_certificate(card.der, "").fingerprint


# -- what the document tells a recipient -----------------------------------------------------------------------------


def shown(heading: str) -> list[str]:
    """The commands of a section of docs/delivering-tokens.md."""
    text = (CHECKOUT / "docs" / "delivering-tokens.md").read_text("utf-8")
    section = text.split(f" {heading}\n", 1)[1].split("\n##", 1)[0]
    return re.findall(r"^\$ (.+)$", section, re.MULTILINE)


@needs_age
@needs_openssl
def test_documented_commands_decrypt_both_kinds(provisioned: tuple[Kit, str], tmp_path: Path) -> None:
    kit, _ = provisioned
    private, public = a_key("age", tmp_path)
    private.rename(tmp_path / "key.txt")
    certificate, _ = Card().save(tmp_path)
    for heading, to in (("ends in .age", public), ("ends in .eml", str(certificate))):
        encrypted = Path(kit.done(*ENCRYPT, "--recipient", to, "--out", str(tmp_path)).out.strip())
        commands = shown(heading)
        assert commands
        for command in commands:
            mine = command.replace("alice-20261120T221500Z-3f9c21ab", encrypted.stem)
            run("bash", "-o", "pipefail", "-c", f"cd {shlex.quote(str(tmp_path))} && {mine}")
    assert b"token.json" in (tmp_path / "opened.eml").read_bytes()


# -- external IDs ----------------------------------------------------------------------------------------------------


@needs_age
def test_sent_external_id_issues_tokens(provisioned: tuple[Kit, str], tmp_path: Path) -> None:
    kit, venue = provisioned
    private, public = a_key("age", tmp_path)
    result = kit.done("external-id.send", "--venue", venue, "--user", "alice", "--recipient", public)
    path = encrypted_file(kit, result)
    assert re.fullmatch(rf"alice-{venue}-external-id-\d{{8}}T\d{{6}}Z\.age", path.name)
    files = unpacked(run("age", "-d", "-i", private, path))
    given = files["external-id.txt"]
    issued = kit("issue-token", "--user", "alice", "--venue", venue, "--external-id", "-", typed=given)
    assert issued.code == 0, issued.err
    assert given.strip() not in result.out + result.err + files["README.txt"]
    assert given.strip().encode() not in path.read_bytes()
