"""``invoke`` and ``venue-access``, as ``scripts/bootstrap`` installs them: configuration, streams, chains."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import tasks
from tests.functional.kit import CHECKOUT, Kit, Result, emulated

PROGRAMS = Path(sys.executable).parent
INVOKE, VENUE_ACCESS = ([str(PROGRAMS / "invoke"), "--search-root", str(CHECKOUT)], [str(PROGRAMS / "venue-access")])
NEEDS_FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    kit = Kit(tmp_path, tmp_path / "work")
    kit.write_inventory({"unity-dev": emulated("unity-dev"), "unity-test": emulated("unity-test")})
    kit.environment["HOME"] = str(tmp_path / "home")
    (tmp_path / "home").mkdir()
    return kit


def run(kit: Kit, command: Sequence[str], redirections: str = "", **environment: str) -> Result:
    """Run a command by a shell, in the kit's folder."""
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f'"$0" "$@" {redirections}', *command],
        cwd=kit.folder, env={**kit.environment, **environment}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return Result(done.returncode, done.stdout, done.stderr)


def is_one_message(result: Result, code: int, saying: str) -> None:
    assert (result.code, result.out) == (code, ""), result.err
    assert result.err.startswith("error: ")
    assert saying in result.err
    assert "Traceback" not in result.err
    assert len(result.err.splitlines()) <= 2


# -- configuration ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (".invoke.yaml", b"a: [", ".invoke.yaml cannot be read: while parsing a flow node"),
        (".invoke.yaml", b"- a", "expected a mapping of settings, not ['a']"),
        (".invoke.yaml", b"run: 3", ".invoke.yaml: run: expected a mapping of settings, not 3"),
        (".invoke.yaml", b"on: x", ".invoke.yaml: True is not the name of a setting"),
        (".invoke.yaml", b"tasks: {dedupe: {a: b}}", ".invoke.yaml: tasks: dedupe: expected a value, not a mapping"),
        (".invoke.yaml", b"tasks: {executor_class: no.such.Class}", "tasks.executor_class: 'no.such.Class' is not the"),
        (".invoke.yaml", b"tasks: {executor_class: 3}", "tasks.executor_class: 3 is not the name of a class"),
        (".invoke.yaml", b"workdir: {a: b}", "configuration files contradict each other"),
        (".invoke.yaml", b"a: &a {b: *a}", ".invoke.yaml cannot be read: it contains itself"),
        (".invoke.yml", b"\xff\xfe", ".invoke.yml cannot be read: 'utf-8' codec"),
        (".invoke.json", b'{"a": ', ".invoke.json cannot be read: Expecting value"),
        (".invoke.py", b"a = = 1", ".invoke.py cannot be read: invalid syntax"),
    ],
)
def test_broken_user_configuration_is_one_message(name: str, content: bytes, message: str, kit: Kit) -> None:
    (kit.folder / "home" / name).write_bytes(content)
    program = VENUE_ACCESS if b"tasks" in content else INVOKE
    is_one_message(run(kit, [*program, "inventory.names"]), 2, message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [", "run.yaml cannot be read: while parsing"),
        (b"terraform: 7", "terraform: 7 is not text"),
        (b"terraform: [a]", "terraform: ['a'] is not text"),
        (None, "run.yaml: no such file"),
    ],
)
def test_broken_runtime_configuration_is_one_message(content: bytes | None, message: str, kit: Kit) -> None:
    if content is not None:
        (kit.folder / "run.yaml").write_bytes(content)
    is_one_message(run(kit, [*INVOKE, "--config", "run.yaml", "inventory.names"]), 2, message)
    is_one_message(run(kit, [*INVOKE, "inventory.names"], INVOKE_RUNTIME_CONFIG="run.yaml"), 2, message)


def test_broken_project_configuration_is_one_message(kit: Kit) -> None:
    shutil.copy(CHECKOUT / "tasks.py", kit.folder)
    (kit.folder / "invoke.yaml").write_text("a: [")
    result = run(kit, [str(PROGRAMS / "invoke"), "inventory.names"])
    is_one_message(result, 2, f"{kit.folder}/invoke.yaml cannot be read")


def test_invalid_environment_setting_is_one_message(kit: Kit) -> None:
    result = run(kit, [*INVOKE, "inventory.names"], INVOKE_RUN_WATCHERS="x")
    is_one_message(result, 2, "INVOKE_RUN_WATCHERS")
    (kit.folder / "run.yaml").write_text("workdir: 7")
    result = run(kit, [*INVOKE, "--config", "run.yaml", "inventory.names"])
    is_one_message(result, 2, "INVOKE_WORKDIR")


@pytest.mark.parametrize("flag", ["--help", "--list", "--list-depth", "--print-completion-script", "-c", "-T"])
def test_control_characters_in_arguments_are_escaped(flag: str, kit: Kit) -> None:
    result = run(kit, [*INVOKE, flag, "a\x1b[31mb", "--list"])
    assert (result.code, result.out) == (1, "")
    assert "a\\x1b[31mb" in result.err


@pytest.mark.parametrize("arguments", ["-T x --list", "--list --list-depth=x", "--list -F nope", "provison", "-r / -l"])
def test_invokes_own_usage_errors_are_one_line(arguments: str, kit: Kit) -> None:
    result = run(kit, [*INVOKE, *arguments.split()])
    assert (result.code, result.out, len(result.err.splitlines())) == (1, "", 1)


# -- what is listed --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", [INVOKE, VENUE_ACCESS], ids=["invoke", "venue-access"])
def test_no_command_lists_the_commands(program: list[str], kit: Kit) -> None:
    listed = run(kit, program)
    assert (listed.code, listed.err) == (0, "")
    for name in tasks.namespace.task_names:
        assert f"  {name} " in listed.out
    assert f"{Path(program[0]).name} --help NAME" in listed.out


def test_venue_access_works_from_any_folder(kit: Kit) -> None:
    named = run(kit, [*VENUE_ACCESS, "inventory.names", "inventory.names"])
    assert (named.code, named.out) == (0, "unity-dev\nunity-test\n" * 2)
    del kit.environment["INVOKE_INVENTORY"]
    assert "sounder-dev" in run(kit, [*VENUE_ACCESS, "inventory.names"]).out  # the checkout's own inventory


def test_installed_program_ignores_configuration_of_current_folder(kit: Kit) -> None:
    shutil.copytree(CHECKOUT / "venue_access", kit.folder / "site" / "venue_access")
    (kit.folder / "invoke.py").write_text("raise SystemExit('this was run')")
    program = kit.folder / "site" / "program"
    program.write_text("import sys; from venue_access.cli import program; sys.exit(program.run_venue_access())")
    installed = [sys.executable, str(program)]  # beside which Python looks first
    assert run(kit, [*installed, "inventory.names"]) == Result(0, "unity-dev\nunity-test\n", "")
    del kit.environment["INVOKE_INVENTORY"]
    is_one_message(run(kit, [*installed, "inventory.names"]), 2, f"{kit.folder}/inventory/local: no such file")


def test_control_characters_in_results_are_escaped(kit: Kit) -> None:
    shell = {"AWS_DEFAULT_REGION": "us\u202e\x1b[2J\x9b1A", "AWS_ACCESS_KEY_ID": "AKIA\x07", "AWS_ACCOUNT": "work\r"}
    shown = run(kit, [*INVOKE, "account.whoami"], **shell)
    assert shown.code == 0, shown.err
    assert "us\\u202e\\x1b[2J\\x9b1A" in shown.out
    assert shown.out.replace("\n", "").isprintable()


# -- streams ---------------------------------------------------------------------------------------------------------

PRINTING = ["--list", "--help", "--help provision", "--version", "", "inventory.names", "inventory.list"]


@pytest.mark.parametrize("arguments", PRINTING)
def test_closed_standard_output_is_exit_6(arguments: str, kit: Kit) -> None:
    command = [*INVOKE, *arguments.split()]
    is_one_message(run(kit, command, ">&-"), 6, "the result cannot be written to standard output: it is closed")


@pytest.mark.parametrize("arguments", ["--list", "inventory.names"])
def test_closed_output_and_stderr_are_exit_6(arguments: str, kit: Kit) -> None:
    for redirections in (">&- 2>&-", ">&- 2>&- <&-"):
        assert run(kit, [*INVOKE, arguments], redirections) == Result(6, "", "")


@NEEDS_FULL
@pytest.mark.parametrize("arguments", ["--list", "--help", ""])
def test_full_disk_behind_standard_output_is_one_message(arguments: str, kit: Kit) -> None:
    is_one_message(run(kit, [*INVOKE, *arguments.split()], ">/dev/full"), 6, "standard output: no space left on device")


@pytest.mark.parametrize("arguments", ["--list", "--help"])
def test_closed_pipe_is_not_an_error(arguments: str, kit: Kit) -> None:
    for reader in ("true", "head -1 >/dev/null"):
        assert run(kit, [*INVOKE, *arguments.split()], f"| {reader}") == Result(0, "", "")


@pytest.mark.parametrize("redirection", ["2>&-", pytest.param("2>/dev/full", marks=NEEDS_FULL), "2>&- <&-"])
def test_closed_stderr_keeps_exit_code_and_result(redirection: str, kit: Kit) -> None:
    assert run(kit, [*INVOKE, "nosuch"], redirection) == Result(1, "", "")
    assert run(kit, [*INVOKE, "operator-policy", "--venue", "nosuch"], redirection) == Result(2, "", "")
    assert run(kit, [*INVOKE, "inventory.names"], redirection) == Result(0, "unity-dev\nunity-test\n", "")


# -- several commands in a line --------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", [VENUE_ACCESS, INVOKE, [sys.executable, "-m", "invoke", *INVOKE[1:]]])
def test_every_command_of_a_line_runs(program: list[str], kit: Kit) -> None:
    result = run(kit, [*program, "inventory.names", "inventory.graph", "inventory.names"])
    names = "unity-dev\nunity-test\n"
    assert result == Result(0, f"{names}@all:\n  |--@ungrouped:\n  |  |--unity-dev\n  |  |--unity-test\n{names}", "")


def test_commands_after_a_failure_do_not_run(kit: Kit) -> None:
    result = run(kit, [*INVOKE, "inventory.names", "operator-policy", "--venue", "unity-dve", "inventory.graph"])
    assert (result.code, result.out) == (2, "unity-dev\nunity-test\n")


def test_next_command_runs_after_success(provisioned: tuple[Kit, str]) -> None:
    kit, venue = provisioned
    at = ("--venue", venue)
    result = kit.done("issue-token", "--user", "alice", *at, "status", *at, "verify", *at, "--json")
    token, end = json.JSONDecoder().raw_decode(result.out)
    status, _, report = result.out[end:].lstrip().partition("\n")
    assert token["Credentials"]
    assert status.startswith(f"{venue}: provisioned")
    assert json.loads(report)["checks"]


def test_provision_and_verify_in_one_line(provisioned: tuple[Kit, str]) -> None:
    kit, venue = provisioned
    result = run(kit, [*VENUE_ACCESS, "provision", "--venue", venue, "verify", "--venue", venue, "--json"])
    recap, _, report = result.out.partition("\n")
    assert result.code == 0, result.err
    assert recap.startswith(f"{venue} : ok=")
    assert json.loads(report)["checks"]


@pytest.mark.parametrize("program", [INVOKE, VENUE_ACCESS])
@pytest.mark.parametrize("arguments", ["isue-token --user alice", "inventory.names inventory.name", "--help nosuch"])
def test_misspelt_command_is_one_line(program: list[str], arguments: str, kit: Kit) -> None:
    name = next(word for word in arguments.split() if word in ("isue-token", "inventory.name", "nosuch"))
    assert run(kit, [*program, *arguments.split()]) == Result(1, "", f"No idea what '{name}' is!\n")


def test_flags_of_a_command_are_shown_and_completed(kit: Kit) -> None:
    for arguments in ("--help issue-token", "-h issue-token", "issue-token --help"):
        assert "--s3-prefix=STRING" in run(kit, [*VENUE_ACCESS, *arguments.split()]).out
    assert "\n--s3-prefix\n" in run(kit, [*VENUE_ACCESS, *"--complete -- issue-token --".split()]).out
    assert "\nverify\n" in run(kit, [*VENUE_ACCESS, *"--complete -- issue-token".split()]).out


MOST_MODULES = {"issue-token --user alice": 33, "provision": 45}
"""The limits of how many modules of the package a command imports."""


LIST_MODULES = """
import atexit, sys
sys.path.insert(0, sys.argv.pop(1))
from venue_access.cli.program import run_venue_access
def show():
    ours = {name: each for name, each in sys.modules.items() if name.startswith("venue_access.") and each}
    print(*(name for name, each in ours.items() if not hasattr(each, "__path__")), file=sys.stderr)
atexit.register(show)
sys.exit(run_venue_access())
"""


@pytest.mark.parametrize("command", MOST_MODULES)
def test_command_imports_few_modules(command: str, provisioned: tuple[Kit, str]) -> None:
    kit, venue = provisioned
    arguments = [*command.split(), "--venue", venue]
    kit.done(*arguments)  # the emulator is seeded when an inventory is used first
    result = run(kit, [sys.executable, "-c", LIST_MODULES, str(CHECKOUT), *arguments])
    assert result.code == 0, result.err
    ours = result.err.splitlines()[-1].split()
    assert 20 < len(ours) <= MOST_MODULES[command], f"{len(ours)}: {' '.join(ours)}"


def test_command_with_exit_code_ends_the_line(kit: Kit) -> None:
    operator = "arn:aws:iam::111122223333:role/operator"
    host = {"project": "unity", "account_id": "111122223333", "region": "us-west-2", "trusted_principals": [operator]}
    kit.write_inventory({"unity-dev": host})
    result = run(kit, [*INVOKE, "status", "inventory.names"])
    assert (result.code, "\nunity-dev\n" in result.out) == (5, False), result.err
    assert result.out.startswith("unity-dev: ")
