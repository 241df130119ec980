"""What cannot be delivered is refused before a token is issued, or reported with the token that was."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Card
from tests.functional.kit import CHECKOUT, Kit, Result
from tests.functional.proxy import Proxy

AGE = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
ISSUE = ("issue-token", "--user", "alice", "--venue", "shared-dev")


@pytest.fixture
def watched(provisioned: tuple[Kit, str], proxy: Proxy, tmp_path: Path) -> Kit:
    """The provisioned venue, reached through a proxy, from a folder of the test's own."""
    kit, venue = provisioned
    watched = Kit(tmp_path, kit.work_directory)
    hosts = json.loads(kit.inventory.read_text())["all"]["hosts"]
    hosts[venue] |= {"aws_endpoint_url": proxy.url}
    watched.write_inventory(hosts)
    return watched


def is_refused_beforehand(result: Result, proxy: Proxy, *, saying: str) -> None:
    """One message, and AWS was not asked for anything."""
    assert (result.code, result.out) == (2, ""), result.err
    assert result.err.startswith("error: ")
    assert saying in result.err
    assert proxy.calls == []


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        ({"ends": timedelta(hours=-1)}, "it expired on "),
        ({"begins": timedelta(hours=1)}, "it is not valid before "),
        ({"email": "mallory@example.org"}, "it is not for alice@example.org but for mallory@example.org"),
        ({"usage": ("digital_signature",)}, "its key usage does not include key encipherment"),
        ({"curve": True, "usage": ("key_agreement",)}, "its key is on an elliptic curve"),
    ],
)
def test_unusable_certificate_is_refused_before_the_issue(
    card: dict[str, Any], reason: str, watched: Kit, proxy: Proxy, tmp_path: Path
) -> None:
    certificate, _ = Card(**card).save(tmp_path)
    is_refused_beforehand(watched(*ISSUE, "--encrypt", "--recipient", str(certificate)), proxy, saying=reason)


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--encrypt"], "no recipient key of alice is known"),
        (["--encrypt", "--recipient", "age1hello"], "cannot encrypt to the key 'age1hello'"),
        (["--encrypt", "--recipient", "nobody.pub"], "the key file 'nobody.pub' cannot be read"),
        (["--encrypt", "--recipient", AGE, "--out", "taken"], "taken already exists"),
        (["--encrypt", "--recipient", AGE, "--out", "link"], "link already exists"),
        (["--encrypt", "--recipient", AGE, "--out", "missing/token.age"], "cannot write missing"),
        (["--encrypt", "--recipient", AGE, "--out", "/proc"], "cannot write /proc"),
        (["--out", "taken"], "taken already exists"),
        (["--out", "link"], "link already exists"),
        (["--out", "/dev/full"], "/dev/full already exists"),
        (["--out", ""], "--out is empty"),
        (["--out", "to\x1b[2Jken"], "--out 'to\\x1b[2Jken' has a character that cannot be printed"),
        (["--out", "to\nken"], "--out 'to\\nken' has a character that cannot be printed"),
        (["--encrypt", "--recipient", AGE, "--out", "to\u202eken"], "--out 'to\\u202eken' has a character"),
        (["--out", "to\udcffken"], "--out 'to\\udcffken' has a character"),
        (["--recipient", AGE], "--recipient requires --encrypt"),
    ],
)
def test_undeliverable_token_is_refused_before_the_issue(
    flags: Sequence[str], reason: str, watched: Kit, proxy: Proxy
) -> None:
    (watched.folder / "taken").write_text("theirs")
    (watched.folder / "link").symlink_to("elsewhere")
    is_refused_beforehand(watched(*ISSUE, *flags), proxy, saying=reason)
    assert (watched.folder / "taken").read_text() == "theirs"
    assert not (watched.folder / "elsewhere").exists()


def test_undeliverable_external_id_is_not_read(watched: Kit, proxy: Proxy) -> None:
    send = ("external-id.send", "--venue", "shared-dev", "--user", "alice")
    is_refused_beforehand(watched(*send), proxy, saying="no recipient key of alice is known")
    (watched.folder / "taken").touch()
    is_refused_beforehand(watched(*send, "--recipient", AGE, "--out", "taken"), proxy, saying="taken already exists")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes into any folder")
def test_read_only_folder_is_refused_before_the_issue(watched: Kit, proxy: Proxy) -> None:
    (watched.folder / "closed").mkdir(mode=0o500)
    result = watched(*ISSUE, "--encrypt", "--recipient", AGE, "--out", "closed")
    is_refused_beforehand(result, proxy, saying="cannot write closed: permission denied")


def test_unencrypted_token_file_has_mode_0600(provisioned: tuple[Kit, str], tmp_path: Path) -> None:
    kit, _ = provisioned
    result = kit.done(*ISSUE, "--out", str(tmp_path / "token.json"))
    assert result.out == f"{tmp_path / 'token.json'}\n"
    assert (tmp_path / "token.json").stat().st_mode & 0o777 == 0o600
    token = json.loads((tmp_path / "token.json").read_text())
    assert kit.session(token).caller().arn == token["AssumedRoleUser"]["Arn"]
    assert token["Credentials"]["SecretAccessKey"] not in result.err


def names_the_token_that_is_out(watched: Kit, code: int, said: str) -> bool:
    entries = (watched.work_directory / "ledger.jsonl").read_text().splitlines()
    name = json.loads(entries[-1])["role_session_name"]
    return (
        code == 6
        and f"the token {name} of shared-dev was issued but not delivered: " in said
        and f"invoke revoke-token --venue shared-dev --session {name}\n" in said
    )


@pytest.mark.parametrize("encrypt", [("--encrypt", "--recipient", AGE), ()])
@pytest.mark.parametrize("trouble", ["taken", "link", "gone"])
def test_failed_delivery_is_exit_6_and_leaves_nothing(
    encrypt: Sequence[str], trouble: str, watched: Kit, proxy: Proxy
) -> None:
    out = watched.folder / "out"
    out.mkdir()

    troubles: dict[str, Callable[[], object]] = {
        "taken": lambda: (out / "file").write_text("theirs"),
        "link": lambda: (out / "file").symlink_to("elsewhere"),
        "gone": out.rmdir,
    }
    waiting = [troubles[trouble]]

    def meddle(operation: str) -> None:
        if operation == "AssumeRole" and waiting:
            waiting.pop()()

    proxy.before_call = meddle
    result = watched(*ISSUE, *encrypt, "--out", "out/file")
    assert names_the_token_that_is_out(watched, result.code, result.err)
    assert result.out == ""
    assert "SecretAccessKey" not in result.err
    left = [file.name for file in watched.folder.rglob("*") if file.is_file() and file != watched.inventory]
    assert left == (["file"] if trouble == "taken" else [])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_unprintable_token_is_exit_6_and_named(watched: Kit) -> None:
    command = [sys.executable, "-m", "invoke", "--search-root", str(CHECKOUT), *ISSUE]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            command, cwd=watched.folder, env=watched.environment, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert names_the_token_that_is_out(watched, done.returncode, done.stderr)


def closed(kit: Kit, redirections: str, *command: str) -> Result:
    """Run a command with standard streams closed by a shell."""
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$0" "$@" {redirections}', *command],
        cwd=kit.folder, env=kit.environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return Result(done.returncode, done.stdout, done.stderr)


KIT = (sys.executable, "-m", "invoke", "--search-root", str(CHECKOUT))


@pytest.mark.parametrize("redirections", [">&-", ">&- <&-", "1</dev/null"])
def test_closed_standard_output_is_exit_6_and_named(redirections: str, watched: Kit) -> None:
    result = closed(watched, redirections, *KIT, *ISSUE)
    assert names_the_token_that_is_out(watched, result.code, result.err)


@pytest.mark.parametrize("redirections", [">&-", ">/dev/full"])
def test_failing_standard_output_names_each_of_several_tokens(redirections: str, watched: Kit) -> None:
    several = ("issue-token", "--user", "alice,bob,carol", "--venue", "shared-dev")
    result = closed(watched, redirections, *KIT, *several)
    assert result.code == 6
    named = re.findall(r"error: the token (\w+)-\S+ of shared-dev was issued but not delivered: the result", result.err)
    assert named == ["alice", "bob", "carol"]
    assert result.err.count("error: ") == 3


def test_closed_streams_are_not_reused_by_files(watched: Kit) -> None:
    for redirections in (">&-", ">&- 2>&-", ">&- 2>&- <&-"):
        assert closed(watched, redirections, *KIT, *ISSUE).code == 6
    for line in (watched.work_directory / "ledger.jsonl").read_text().splitlines():
        assert json.loads(line)["kind"]
    for folder in (watched.folder, watched.work_directory):
        for file in folder.rglob("*"):
            if file.is_file() and "local-aws" not in file.parts:
                assert b"SecretAccessKey" not in file.read_bytes(), file


def test_external_id_with_closed_output_is_exit_6_and_names_the_file(watched: Kit) -> None:
    send = ("external-id.send", "--venue", "shared-dev", "--user", "alice", "--recipient", AGE, "--out", "id.age")
    result = closed(watched, ">&-", *KIT, *send)
    assert result.code == 6
    assert "error: id.age was written; the result cannot be written to standard output: it is closed" in result.err
    assert (watched.folder / "id.age").exists()
