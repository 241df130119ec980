"""``exec``: a command that runs with a token in its environment."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.functional.kit import Kit
from tests.functional.ledgers import lines

SHOW = "import json, os; print(json.dumps({k: v for k, v in os.environ.items() if k.startswith('AWS_')}))"


def test_command_has_the_token_in_its_environment(provisioned: tuple[Kit, str]) -> None:
    kit, name = provisioned
    shown = kit.done(
        "exec",
        "--venue",
        name,
        "--user",
        "alice",
        "--",
        "python3",
        "-c",
        SHOW,
        AWS_PROFILE="",
        AWS_SECURITY_TOKEN="old",
    )
    environment = json.loads(shown.out)
    assert "AWS_SECURITY_TOKEN" not in environment
    assert "AWS_PROFILE" not in environment
    record = next(line for line in reversed(lines(kit)) if line["kind"] == "issue")
    assert record["access_key_id"] == environment["AWS_ACCESS_KEY_ID"]
    assert record["delivery"] == "exec"
    assert environment["AWS_SESSION_TOKEN"] not in shown.err


def test_token_works_with_the_aws_cli(provisioned: tuple[Kit, str]) -> None:
    kit, name = provisioned
    shown = kit.done("exec", "--venue", name, "--user", "alice", "--", "aws", "sts", "get-caller-identity")
    assert "/alice-" in json.loads(shown.out)["Arn"]


@pytest.mark.parametrize("code", [0, 3, 255])
def test_exit_code_is_the_commands(provisioned: tuple[Kit, str], code: int) -> None:
    kit, name = provisioned
    assert kit("exec", "--venue", name, "--user", "alice", "--", "sh", "-c", f"exit {code}").code == code


def test_arguments_reach_the_command_unchanged(provisioned: tuple[Kit, str]) -> None:
    kit, name = provisioned
    arguments = ["a b", "", "--venue", "--", "$HOME", "'"]
    program = "import json, sys; print(json.dumps(sys.argv[1:]))"
    shown = kit.done("exec", "--venue", name, "--user", "alice", "--", "python3", "-c", program, *arguments)
    assert json.loads(shown.out) == arguments


def test_signals_reach_the_command(provisioned: tuple[Kit, str], tmp_path: Path) -> None:
    kit, name = provisioned
    ready = tmp_path / "ready"
    script = f"trap 'exit 42' TERM; touch {ready}; while :; do sleep 0.1; done"
    process = kit.start("exec", "--venue", name, "--user", "alice", "--", "sh", "-c", script)
    try:
        while not ready.exists():
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 42
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("rest", "message"),
    [((), "no command to run"), (("--",), "no command to run"), (("--", "no-such-program"), "not on the PATH")],
)
def test_nothing_is_issued_without_a_command_to_run(
    provisioned: tuple[Kit, str], rest: tuple[str, ...], message: str
) -> None:
    kit, name = provisioned
    before = len(lines(kit))
    shown = kit("exec", "--venue", name, "--user", "alice", *rest)
    assert shown.code == 2
    assert message in shown.err
    assert len(lines(kit)) == before


def test_dry_run_runs_nothing(provisioned: tuple[Kit, str], tmp_path: Path) -> None:
    kit, name = provisioned
    made = tmp_path / "made"
    shown = kit.done("--dry", "exec", "--venue", name, "--user", "alice", "--", "touch", str(made))
    assert f"would issue a token for alice at {name} and run touch" in shown.err
    assert not made.exists()


def test_file_that_cannot_be_run_is_an_error_that_names_the_token(provisioned: tuple[Kit, str], tmp_path: Path) -> None:
    kit, name = provisioned
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELF")
    broken.chmod(0o700)
    shown = kit("exec", "--venue", name, "--user", "alice", "--", str(broken))
    assert shown.code == 6
    assert f"revoke-token --venue {name} --session alice-" in shown.err


def test_other_programs_see_no_token_in_the_arguments(provisioned: tuple[Kit, str]) -> None:
    kit, name = provisioned
    process = kit.start("exec", "--venue", name, "--user", "alice", "--", "sh", "-c", "echo ready; sleep 60")
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        listed = subprocess.run(
            ["ps", "-o", "args=", "-p", str(process.pid)], capture_output=True, text=True, check=True
        )
        assert listed.stdout.split() == ["sh", "-c", "echo", "ready;", "sleep", "60"]
    finally:
        process.kill()
        process.communicate()
