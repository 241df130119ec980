"""Two hundred tokens, issued in every way: none of their secrets, and no external ID, stays or shows anywhere else.

The real values are the canaries. They are searched as they are and as base64 and hexadecimal digits.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyrage
import pytest

from tests.certificates import Card
from tests.functional.issuing import stored_id
from tests.functional.kit import CHECKOUT, Kit, Result, emulated, new_venue
from tests.functional.processes import Seen, watching
from tests.functional.terminal import at_terminal
from tests.functional.test_encrypted_delivery import run, unpacked

HOLD_THE_ID = {"external_ids.auto.tfvars.json", "terraform.tfstate", "terraform.tfstate.backup", "plan.tfplan"}
"""Files of a stack that cannot but hold the external ID (docs/security.md)."""


def forms(canary: str) -> Iterator[bytes]:
    """A value as it would be written: as it is, as hexadecimal digits, and within whatever base64 it may be part of."""
    text = canary.encode()
    yield text
    yield text.hex().encode()
    for before in range(3):
        whole = base64.b64encode(bytes(before) + text + bytes(2))
        yield whole[4 if before else 0 : -8]  # without what depends on its neighbours


def found(canaries: Iterable[str], *texts: bytes) -> set[str]:
    """The canaries that are in any of these texts."""
    return {canary for canary in canaries if any(form in text for form in forms(canary) for text in texts)}


def files_below(folder: Path) -> Iterator[Path]:
    """Every file; what symbolic links lead to belongs to others (Terraform's providers)."""
    return (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


@dataclass
class Issuer:
    """Where tokens are issued, and all that could be seen of it."""

    kit: Kit
    venue: str
    identity: Any
    """Of age, for all recipients."""
    printed: list[bytes] = field(default_factory=list)
    """What is not to hold a canary, as commands printed it."""
    seen: list[Seen] = field(default_factory=list)
    tokens: list[dict[str, Any]] = field(default_factory=list)
    confidential: set[str] = field(default_factory=set)
    """External IDs, and what else is to be found nowhere."""
    handed_over: set[Path] = field(default_factory=set)
    """The files that were asked for."""

    def run(self, *arguments: str, typed: str = "", shows: bool = False) -> Result:
        """Run a command and look at it meanwhile.

        :param shows: whether standard output is to hold tokens.
        """
        with self.kit.start(*arguments) as process, watching(process.pid) as seen:
            out, err = process.communicate(typed, timeout=120)
        assert process.returncode == 0, err
        self.seen.append(seen)
        self.printed += [err.encode(), b"" if shows else out.encode()]
        return Result(process.returncode, out, err)

    def issue(self, users: Iterable[str], *flags: str, typed: str = "") -> Result:
        handed_over = "--out" in flags
        command = ("issue-token", "--venue", self.venue, "--reason", "canaries", "--user", ",".join(users))
        result = self.run(*command, *flags, typed=typed, shows=not handed_over)
        if handed_over:
            self.handed_over |= {self.kit.folder / line for line in result.out.splitlines()}
        else:
            self.tokens += [json.loads(line) for line in result.out.splitlines()]
        return result

    def opened(self, path: Path) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(
            unpacked(pyrage.decrypt(path.read_bytes(), [self.identity]))["token.json"]
            if path.suffix == ".age"
            else path.read_text()
        )
        return document

    def secrets(self) -> set[str]:
        keys = [token["Credentials"] for token in self.tokens]
        return {key[name] for key in keys for name in ("SecretAccessKey", "SessionToken")}

    def check(self) -> None:
        """Look for every canary wherever it is not to be."""
        secrets, canaries = self.secrets(), {*self.secrets(), *self.confidential}
        assert found(canaries, *self.printed) == set()
        for seen in self.seen:
            assert found(canaries, b"\n".join(seen.arguments)) == set()
            assert found(canaries, b"\n".join(seen.environments)) == set()
        work, holding = self.kit.work_directory, 0
        for path in files_below(work):
            if path.relative_to(work).parts[0] == "local-aws":  # it plays AWS, which knows them all
                assert path.stat().st_mode & 0o777 == 0o600, path
                continue
            content = path.read_bytes()
            held = found(canaries, content)
            if held and path.name in HOLD_THE_ID and path.relative_to(work).parts[0] == "stacks":
                assert path.stat().st_mode & 0o777 == 0o600, path
                assert held & secrets == set(), path
                holding += 1
            else:
                assert held == set(), path
        assert holding, "the external ID is not even where it must be"
        for path in files_below(self.kit.folder):
            if path not in self.handed_over or path.suffix != ".json":
                assert found(canaries, path.read_bytes()) == set(), path
        entered = (work / "ledger.jsonl").read_bytes()
        ids = {token["Credentials"]["AccessKeyId"] for token in self.tokens}
        assert found(ids, entered) == ids


@pytest.fixture
def issuer(tmp_path: Path, work_directory: Path) -> Issuer:
    """A venue of its own, with a user whose key is known; what is temporary is in the folder too."""
    kit, name, identity = Kit(tmp_path, work_directory), new_venue(), pyrage.x25519.Identity.generate()
    encrypted = {f"encrypted{number}": {"keys": [str(identity.to_public())]} for number in range(30)}
    kit.write_inventory({name: emulated(name, users=encrypted)})
    for folder in ("tmp", "plain", "encrypted"):
        (tmp_path / folder).mkdir()
    kit.environment["TMPDIR"] = str(tmp_path / "tmp")
    return Issuer(kit, name, identity)


@pytest.mark.parametrize("times", [2, pytest.param(10, marks=pytest.mark.soak)])
def test_tokens_leave_no_trace_of_a_secret(issuer: Issuer, times: int) -> None:
    """Of forty tokens, and in the soak of two hundred."""
    issuer.run("provision")
    external_id = stored_id(issuer.kit, issuer.venue)
    issuer.confidential.add(external_id)
    issuer.issue([f"plain{number}" for number in range(10 * times)])
    issuer.issue([f"file{number}" for number in range(4 * times)], "--out", "plain")
    issuer.issue([f"encrypted{number}" for number in range(3 * times)], "--encrypt", "--out", "encrypted")
    issuer.issue(
        [f"scope{number}" for number in range(2 * times)], "--read-only", "--s3-prefix", "in", "--source-ip", "::1"
    )
    issuer.issue([f"given{number}" for number in range(times)], "--external-id", "-", typed=external_id)
    issuer.tokens += [issuer.opened(path) for path in sorted(issuer.handed_over)]
    assert len(issuer.secrets()) == 2 * 20 * times

    wrong = f"{external_id[:-4]}-not"
    issuer.confidential.add(wrong)
    refused = issuer.kit("issue-token", "--user", "x2", "--reason", wrong, "--external-id", "-", typed=wrong)
    assert refused.code == 5
    issuer.printed.append(f"{refused.out}{refused.err}".encode())
    issuer.run("tokens", "--json")
    issuer.check()

    # Terraform ran meanwhile, and its environment was seen: it has the operator's keys, as it must.
    assert any(b"terraform\0apply" in each for each in issuer.seen[0].arguments)
    assert any(b"AWS_SECRET_ACCESS_KEY=" in each for each in issuer.seen[0].environments)


@pytest.mark.soak
def test_other_commands_leave_no_trace_of_a_secret(issuer: Issuer, tmp_path: Path) -> None:
    issuer.run("provision")
    issuer.confidential.add(stored_id(issuer.kit, issuer.venue))
    issuer.run("external-id.send", "--venue", issuer.venue, "--user", "encrypted1", "--out", "encrypted")
    issuer.run("rotate-external-id", "--venue", issuer.venue, "--grace", "1h")
    issuer.confidential.add(stored_id(issuer.kit, issuer.venue))
    assert len(issuer.confidential) == 2  # rotated, and neither is shown
    issuer.issue([f"during{number}" for number in range(50)])
    issuer.run("rotate-external-id", "--venue", issuer.venue, "--finish")
    card = Card()
    issuer.kit.write_inventory({issuer.venue: emulated(issuer.venue, users={"alice": {"email": "alice@example.org"}})})
    message = issuer.run(
        "issue-token", "--user", "alice", "--encrypt", "--recipient", card.pem, "--out", "encrypted"
    ).out.strip()
    certificate, key = card.save(tmp_path)
    opened = run("openssl", "cms", "-decrypt", "-in", tmp_path / message, "-recip", certificate, "-inkey", key)
    attached = opened.split(b'filename="token.json"')[1].split(b"\r\n\r\n", 1)[1].split(b"\r\n--")[0]
    issuer.tokens.append(json.loads(base64.b64decode(attached)))
    for form in ("env", "fish", "process", "ini", "powershell", "windows-cmd", "dotenv", "legacy-json", "ansible"):
        shown = issuer.run("issue-token", "--user", "alice", "--format", form, shows=True).out
        issuer.confidential |= set(re.findall(r"[\w/+=]{40,}", shown, re.ASCII))
    assert len(issuer.confidential) >= 2 + 9 * 2
    by_word = [sys.executable, "-m", "invoke", "--search-root", str(CHECKOUT), "issue-token", "--user", "alice"]
    by_word += ["--encrypt", "--passphrase", "--out", "encrypted"]
    issued = at_terminal(by_word, folder=tmp_path, environment=issuer.kit.environment)
    passphrase = issued.screen.rstrip().rpartition(": ")[2]
    encrypted = (tmp_path / issued.out.decode().strip()).read_bytes()
    issuer.tokens.append(json.loads(unpacked(pyrage.passphrase.decrypt(encrypted, passphrase))["token.json"]))
    issuer.confidential.add(passphrase)
    for command_line in ("verify", "status --json", "revoke-token --user alice", "revoke-token --all", "ledger.verify"):
        issuer.run(*command_line.split())
    issuer.check()


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
def test_search_finds_hidden_texts(before: str) -> None:
    canary = "Zm9v+/YmFy_canary="
    whole = f'{before}"{canary}"}}'.encode()
    for text in (whole, base64.b64encode(whole), whole.hex().encode()):
        assert found([canary, "another-canary"], b"", text) == {canary}


def test_search_finds_planted_files(issuer: Issuer) -> None:
    issuer.confidential.add(canary := "planted-canary-0123456789")
    nap = [sys.executable, "-c", "import os, subprocess, sys; subprocess.run(sys.argv[1:], env={'TOKEN': sys.argv[3]})"]
    child = [sys.executable, "-c", "import time; time.sleep(0.5)"]
    with subprocess.Popen([*nap, "env", "-u", canary, *child]) as process, watching(process.pid) as seen:
        process.wait()
    assert found([canary], b"\n".join(seen.arguments)) == {canary}
    assert found([canary], b"\n".join(seen.environments)) == {canary}
    planted = issuer.kit.work_directory / "facts" / "planted.json"
    planted.parent.mkdir(exist_ok=True)
    try:
        planted.write_bytes(base64.b64encode(b"{..." + canary.encode()))
        with pytest.raises(AssertionError, match=r"planted\.json"):
            issuer.check()
    finally:
        planted.unlink()
    issuer.printed.append(canary.encode())
    with pytest.raises(AssertionError, match=canary):
        issuer.check()
