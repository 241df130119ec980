"""Standard streams, pipes and Ctrl-C: exit codes and results as a shell sees them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.functional.kit import CHECKOUT, Kit, Result, emulated
from tests.functional.three_venues import assert_one_error, three_venues


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    """The commands with three venues, on which no test here gets as far as AWS."""
    return three_venues(tmp_path)


@pytest.mark.parametrize("command", ["inventory.list", "inventory.graph", "operator-policy --venue unity-dev"])
def test_closed_pipe_is_not_an_error(kit: Kit, command: str) -> None:
    process = kit.start(*command.split())
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read()
    assert (process.wait(60), said) == (0, "")


def test_closed_stderr_pipe_keeps_exit_code(kit: Kit) -> None:
    process = kit.start("operator-policy", "--venue", "unity-dve")
    assert process.stderr is not None
    process.stderr.close()
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_unwritable_result_is_exit_6(kit: Kit) -> None:
    command = [sys.executable, "-m", "invoke", "--search-root", str(CHECKOUT), "inventory.list"]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            command, cwd=kit.folder, env=kit.environment, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )
    assert done.returncode == 6
    assert done.stderr == "error: the result cannot be written to standard output: no space left on device\n"


@pytest.mark.parametrize(
    ("redirection", "words"),
    [("<&-", "the external ID given (0 characters)"), ("</dev/null", "the external ID given (0 characters)")],
)
def test_empty_typed_external_id_is_refused(kit: Kit, redirection: str, words: str) -> None:
    command = f"issue-token --user alice --venue unity-dev --external-id - {redirection}"
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$0" -m invoke --search-root "$1" {command}', sys.executable, str(CHECKOUT)],
        cwd=kit.folder, env=kit.environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert_one_error(Result(done.returncode, done.stdout, done.stderr), 2, saying=words)


def test_ctrl_c_at_a_prompt_is_exit_130(kit: Kit) -> None:
    command = ["issue-token", "--user", "alice", "--venue", "unity-dev", "--external-id", "-"]
    spawn = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
    with subprocess.Popen(
        [sys.executable, "-c", spawn, sys.executable, "-m", "invoke", "--search-root", str(CHECKOUT), *command],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=kit.folder, env=kit.environment,
    ) as terminal:  # fmt: skip
        assert terminal.stdin is not None
        assert terminal.stdout is not None
        seen = b""
        while b"external ID: " not in seen:
            read = os.read(terminal.stdout.fileno(), 1024)
            assert read, seen
            seen += read
        terminal.stdin.write(b"\x03")
        terminal.stdin.flush()
        rest = terminal.stdout.read()
    assert terminal.returncode == 130
    assert rest.split() == [b"error:", b"interrupted"]


def test_provision_completes_without_a_reader(tmp_path: Path, work_directory: Path) -> None:
    kit = Kit(tmp_path, work_directory)
    kit.write_inventory({"unread-dev": emulated("unread-dev")})
    process = kit.start("provision")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stderr.close()
    assert process.wait(120) == 0
    assert kit.done("status").out.startswith("unread-dev: provisioned, ")
