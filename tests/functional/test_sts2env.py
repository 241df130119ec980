"""``scripts/sts2env`` as a command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.functional.kit import CHECKOUT

SCRIPT = str(CHECKOUT / "scripts" / "sts2env")
TOKEN = json.dumps(
    {"Credentials": {"AccessKeyId": "A", "SecretAccessKey": "b", "SessionToken": "c", "Expiration": "d"}}
)


def sts2env(*flags: str, given: str | bytes = TOKEN, **more: Any) -> subprocess.CompletedProcess[bytes]:
    data = given.encode() if isinstance(given, str) else given
    return subprocess.run(
        [sys.executable, SCRIPT, *flags], input=data, capture_output=True, timeout=30, check=False, **more
    )


@pytest.mark.parametrize(
    "given",
    [
        "",
        "hunter2",
        "[]",
        "{}",
        '{"Error": {"Code": "AccessDenied"}}',
        TOKEN[:-5],
        '{"Credentials": {}}',
        b"\xff\xfe\x00",
    ],
)
@pytest.mark.parametrize("shell", ["sh", "fish", "powershell", "cmd"])
def test_bad_input_is_one_message_and_exit_2(given: str | bytes, shell: str) -> None:
    done = sts2env("--shell", shell, given=given)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"sts2env: ")
    assert done.stderr.count(b"\n") == 1
    assert b"hunter2" not in done.stderr


@pytest.mark.parametrize("flags", [("--shell", "tcsh"), ("--sh", "fish"), ("token.json",)])
def test_wrong_flag_is_exit_2(flags: tuple[str, ...]) -> None:
    done = sts2env(*flags)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"usage: sts2env" in done.stderr


def test_unset_reads_nothing() -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, "--unset"], stdin=subprocess.DEVNULL, capture_output=True, check=True
    )
    assert b"unset AWS_SESSION_TOKEN;\n" in done.stdout


def test_closed_standard_input_is_bad_input() -> None:
    done = sts2env(given=b"", preexec_fn=lambda: os.close(0))
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"standard input is closed" in done.stderr


def test_closed_pipe_succeeds_and_full_disk_fails() -> None:
    gone = subprocess.run(["sh", "-c", f"{sys.executable} {SCRIPT} | true"], input=TOKEN.encode(), capture_output=True)
    assert gone.stderr == b""
    with open("/dev/full", "wb") as full:
        done = subprocess.run([sys.executable, SCRIPT], input=TOKEN.encode(), stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr == b"sts2env: standard output cannot be written: No space left on device\n"


def test_output_is_utf_8_in_any_locale() -> None:
    token = TOKEN.replace('"b"', '"\u00e9\u4e2d"')
    done = sts2env("--shell", "fish", given=token, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "PYTHONUTF8": "0"})
    assert "set -gx AWS_SECRET_ACCESS_KEY '\u00e9\u4e2d';\n".encode() in done.stdout
