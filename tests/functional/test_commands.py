"""The command surface: what a slip comes to, and how the commands behave in a shell."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import tasks
from tests.functional.kit import ACCOUNT, CHECKOUT, OTHER_ACCOUNT, REGION, Kit, Result, emulated

OWN_VENUE = ("provision", "rotate-external-id", "operator-policy", "deprovision --yes", "issue-token --user alice")
"""The commands that work on one venue."""
ANY_INVENTORY = (
    *(f"{command} --venue unity-dev" for command in OWN_VENUE),
    "status",
    "inventory.list",
    "inventory.graph",
    "inventory.host unity-dev",
    "local.up",
)


def is_one_message(result: Result, code: int, *, saying: str) -> None:
    """The contract of an expected failure: its exit code, one short message, nothing else anywhere."""
    assert result.code == code, result.err
    assert result.out == ""
    errors = [line for line in result.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, result.err
    assert saying in result.err
    assert "Traceback" not in result.err
    assert len(result.err) < 1000


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    """The commands with three venues of two projects; nothing here is to get as far as an AWS."""
    kit = Kit(tmp_path, tmp_path / "work")
    users = {"alice": {"email": "alice@example.org"}}
    kit.write_inventory(
        {
            "unity-dev": emulated("unity-dev", users=users),
            "unity-test": emulated("unity-test"),
            "sounder-dev": emulated("sounder-dev", account_id=OTHER_ACCOUNT),
        }
    )
    return kit


def is_untouched(kit: Kit) -> bool:
    """Whether no command got as far as making a work directory."""
    return not kit.work_directory.exists()


# -- which venue -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", OWN_VENUE)
def test_a_venue_that_does_not_exist_is_refused_with_those_that_do(kit: Kit, command: str) -> None:
    result = kit(*command.split(), "--venue", "unity-dve")
    is_one_message(result, 2, saying="the inventory has no venue 'unity-dve'; did you mean 'unity-dev'?")
    assert "unity-dev, unity-test, sounder-dev" in result.err
    assert is_untouched(kit)


@pytest.mark.parametrize("command", OWN_VENUE)
def test_a_bare_name_that_two_projects_have_is_refused_with_the_candidates(kit: Kit, command: str) -> None:
    result = kit(*command.split(), "--venue", "dev")
    is_one_message(result, 2, saying="several projects have a venue 'dev'")
    assert "unity-dev, sounder-dev" in result.err


@pytest.mark.parametrize("command", ["provision", "rotate-external-id", "operator-policy"])
def test_no_venue_is_guessed_among_several(kit: Kit, command: str) -> None:
    is_one_message(kit(command), 2, saying="choose one with --venue: unity-dev, unity-test, sounder-dev")


@pytest.mark.parametrize(("command", "flag"), [("issue-token", "--user"), ("deprovision --yes", "--venue")])
def test_a_flag_that_is_required_is_asked_for(kit: Kit, command: str, flag: str) -> None:
    is_one_message(kit(*command.split()), 2, saying=f"{flag} is required")


def test_a_bare_name_that_one_project_has_and_the_only_venue_of_a_user_are_found(kit: Kit) -> None:
    assert f":{ACCOUNT}:role/unity-unity-test-sts" in kit.done("operator-policy", "--venue", "test").out
    assert "alice at unity-dev" in kit.done("--dry", "issue-token", "--user", "alice@example.org").err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--venue", "unity-dev", "--limit", "all"), "--venue and --limit exclude each other"),
        (("--limit", "unity-dve"), "the limit 'unity-dve' leaves no venue; did you mean 'unity-dev'?"),
        (("--limit", "unity-dev:!unity-dev"), "leaves no venue"),
        (("--limit", ""), "the limit is empty"),
        (("--limit", "~unity-("), "is not a regular expression"),
        (("--limit", "all[7]"), "is out of range"),
        (("--limit", "@nowhere.txt"), "the limit file 'nowhere.txt' cannot be read"),
    ],
)
@pytest.mark.parametrize("command", ["provision", "status"])
def test_a_limit_that_cannot_be_is_refused(kit: Kit, command: str, flags: tuple[str, ...], message: str) -> None:
    is_one_message(kit(command, *flags), 2, saying=message)
    assert is_untouched(kit)


# -- bad values ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grace", ["soon", "-1h", "1w"])
def test_a_grace_that_is_no_length_of_time_is_refused(kit: Kit, grace: str) -> None:
    result = kit("rotate-external-id", "--venue", "unity-dev", f"--grace={grace}")
    is_one_message(result, 2, saying="--grace")


def test_nothing_is_destroyed_without_a_terminal_to_confirm_it_at(kit: Kit) -> None:
    result = kit("deprovision", "--venue", "unity-dev", typed="unity-dev\n")
    is_one_message(result, 2, saying="say --yes")


def test_a_host_that_is_not_in_the_inventory_is_refused(kit: Kit) -> None:
    is_one_message(kit("inventory.host", "unity-dve"), 2, saying="unity-dve")


@pytest.mark.parametrize("arguments", [("provison",), ("provision", "--venu", "x"), ("inventory.host",)])
def test_invokes_own_usage_errors_are_one_line_and_exit_1(kit: Kit, arguments: tuple[str, ...]) -> None:
    result = kit(*arguments)
    assert (result.code, result.out, len(result.err.splitlines())) == (1, "", 1)


# -- the inventory ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ANY_INVENTORY)
def test_without_an_inventory_every_command_says_how_to_choose_one(kit: Kit, command: str) -> None:
    kit.inventory.unlink()
    result = kit(*command.split())
    is_one_message(result, 2, saying=f"{kit.inventory}: no such file or folder; choose an inventory with --inventory")
    assert is_untouched(kit)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("all: [", "did not find expected node content"),
        ("all:\n  hosts:\n    a-b:\nall: {}\n", "hosts.yml:4: duplicate key 'all'"),
        ("$ANSIBLE_VAULT;1.1;AES256\n6162\n", "vaulted files are not decrypted here"),
        ("[unity]\nunity-dev\n", "did not find expected <document start>"),
        ("- unity-dev\n", "expected a mapping of groups"),
    ],
    ids=["empty", "broken", "twice", "vaulted", "ini", "list"],
)
def test_an_inventory_that_cannot_be_read_is_one_message_that_names_the_file(kit: Kit, text: str, message: str) -> None:
    kit.inventory.write_text(text, encoding="utf-8")
    result = kit("provision")
    is_one_message(result, 2, saying=message)
    assert re.search(rf"error: {re.escape(str(kit.inventory))}(:\d+)?: ", result.err)
    assert is_untouched(kit)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"regoin": REGION, "strict_variables": True}, "unknown variable 'regoin' (did you mean 'region'?)"),
        ({"account_id": 111122223333}, "account_id: must be in quotes: YAML reads it as the number 111122223333"),
        ({"account_id": None}, "account_id: is required"),
        ({"s3_buckets": ["Not_A_Bucket"]}, "s3_buckets: 'Not_A_Bucket' must be a bucket name"),
        ({"region": "{{ region }}"}, "region: has a Jinja expression"),
        ({"project": "other"}, "the host name must be 'other-<venue>'"),
    ],
)
def test_a_slip_in_a_variable_is_one_message_with_file_venue_and_key(
    kit: Kit, variables: dict[str, Any], message: str
) -> None:
    kit.write_inventory({"unity-dev": emulated("unity-dev", **variables)})
    result = kit("provision")
    is_one_message(result, 2, saying=message)
    assert re.search(rf"{re.escape(str(kit.inventory))}:\d+: unity-dev: ", result.err)
    assert is_untouched(kit)


def test_all_problems_are_told_at_once(kit: Kit) -> None:
    variables = {"project": "unity", "regoin": REGION, "s3_buckets": "one", "strict_variables": True}
    kit.write_inventory({"unity-dev": variables})
    result = kit("provision")
    is_one_message(result, 2, saying="the inventory has 5 problems:")
    for text in ("'regoin'", ": region: ", ": account_id: ", ": trusted_principals: ", ": s3_buckets: "):
        assert text in result.err


def test_inventory_check_reports_every_problem_and_damaged_keys(kit: Kit) -> None:
    folder = kit.inventory.parent
    (folder / "private.pub").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n")
    users = {"alice": {"keys": ["nowhere.pub", "private.pub", "age1damaged"]}}
    wrong = {f"unity-{number}": emulated(f"unity-{number}", s3_buckets=[f"B{number}"]) for number in range(40)}
    kit.write_inventory({"unity-dev": emulated("unity-dev", users=users), **wrong})
    result = kit("inventory.check")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: the inventory has 43 problems:\n")
    assert result.err.count("must be a bucket name") == 40
    assert "unity-dev: users: alice: keys: " in result.err
    assert "has a private key" in result.err or "holds a private key" in result.err
    assert "hunter2" not in result.err


def test_inventory_check_of_a_valid_inventory_is_one_line(kit: Kit) -> None:
    kit.write_inventory({"unity-dev": emulated("unity-dev")})
    result = kit("inventory.check")
    assert (result.code, result.out, result.err) == (0, "", f"{kit.inventory}: 1 venue, valid\n")


def test_misspelt_variable_is_a_warning(kit: Kit) -> None:
    kit.write_inventory({"unity-dev": emulated("unity-dev", sourc_cidrs=["192.0.2.0/24"], stage="x")})
    result = kit("inventory.names")
    assert (result.code, result.out) == (0, "unity-dev\n")
    assert "unity-dev: unknown variable 'sourc_cidrs' (did you mean 'source_cidrs'?)" in result.err
    assert result.err.count("warning: ") == 1


def test_inventory_schema_is_json(kit: Kit) -> None:
    assert json.loads(kit.done("inventory.schema").out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_an_inventory_without_venues_says_so(kit: Kit) -> None:
    kit.inventory.write_text("all: {}\n", encoding="utf-8")
    is_one_message(kit("provision"), 2, saying="the inventory has no venue")
    assert kit.done("status").out == ""


# -- the work directory and Terraform --------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["provision", "issue-token --user alice", "rotate-external-id", "local.up"])
def test_a_work_directory_that_is_a_file_is_refused(kit: Kit, command: str) -> None:
    kit.work_directory.write_text("mine", encoding="utf-8")
    kit.write_inventory({"unity-dev": emulated("unity-dev")})
    result = kit(*command.split())
    assert result.code == 2
    assert "not a directory" in result.err
    assert "choose another with INVOKE_WORKDIR" in result.err
    assert "Traceback" not in result.err
    assert kit.work_directory.read_text(encoding="utf-8") == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere; read-only mounts are in test_full_disk.py")
def test_a_work_directory_that_cannot_be_made_is_refused(kit: Kit) -> None:
    locked = kit.folder / "locked"
    locked.mkdir(mode=0o500)
    result = kit("local.up", INVOKE_WORKDIR=str(locked / "work"))
    is_one_message(result, 2, saying="permission denied")


@pytest.mark.parametrize("name", ["INVOKE_WORKDIR", "INVOKE_INVENTORY", "INVOKE_TERRAFORM"])
def test_a_setting_that_is_empty_is_refused(kit: Kit, name: str) -> None:
    kit.environment[name] = ""
    result = kit("status")
    is_one_message(result, 2, saying=f"{name} is empty")
    assert is_untouched(kit)


def test_a_terraform_that_is_not_there_is_refused(tmp_path: Path, work_directory: Path) -> None:
    kit = Kit(tmp_path, work_directory)
    kit.write_inventory({"noterraform-dev": emulated("noterraform-dev")})
    result = kit("provision", INVOKE_TERRAFORM="nonexistent")
    assert result.code == 2
    assert "nonexistent is not on the PATH" in result.err
    assert "Traceback" not in result.err
    assert "failed=1" in result.out  # the recap of a run that failed is still its result


# -- paths -----------------------------------------------------------------------------------------------------------


def test_settings_of_the_environment_are_relative_to_where_one_stands(kit: Kit) -> None:
    inner = kit.folder / "inner"
    inner.mkdir()
    (inner / "hosts.yml").write_text(json.dumps({"all": {"hosts": {"inner-dev": emulated("inner-dev")}}}))
    done = _in_folder(kit, inner, "operator-policy", INVOKE_INVENTORY="hosts.yml", INVOKE_WORKDIR="here")
    assert "role/unity-inner-dev-sts" in done.stdout
    status = _in_folder(kit, inner, "local.status", INVOKE_INVENTORY="hosts.yml", INVOKE_WORKDIR="here")
    assert "the AWS emulator is down" in status.stdout


def test_the_inventory_flag_wins_over_the_environment(kit: Kit) -> None:
    other = kit.folder / "other.yml"
    other.write_text(json.dumps({"all": {"hosts": {"other-dev": emulated("other-dev")}}}))
    assert "--other-dev" in kit.done("inventory.graph", "--inventory", "other.yml").out
    is_one_message(
        kit("inventory.graph", "--inventory", "nowhere"), 2, saying=f"{kit.folder / 'nowhere'}: no such file"
    )


@pytest.mark.parametrize("flag", ["--search-root", "-r"])
def test_the_default_inventory_is_the_checkouts_from_any_folder(kit: Kit, flag: str) -> None:
    environment = {key: value for key, value in kit.environment.items() if key != "INVOKE_INVENTORY"}
    command = [sys.executable, "-m", "invoke", flag, str(CHECKOUT), "inventory.graph"]
    done = subprocess.run(command, cwd=kit.folder, env=environment, capture_output=True, text=True, check=True)
    assert "--unity-dev" in done.stdout


def _in_folder(kit: Kit, folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "invoke", "--search-root", str(CHECKOUT), *arguments]
    where = {**kit.environment, **environment}
    return subprocess.run(command, cwd=folder, env=where, capture_output=True, text=True, check=True)


# -- what is listed --------------------------------------------------------------------------------------------------


def test_every_command_is_listed_with_its_purpose(kit: Kit) -> None:
    listed = kit.done("--list").out
    for name in tasks.namespace.task_names:
        assert f"  {name} " in listed


def test_the_inventory_is_shown_as_ansible_shows_it(kit: Kit) -> None:
    document = kit.done("inventory.list").document()
    assert list(document["_meta"]["hostvars"]) == ["unity-dev", "unity-test", "sounder-dev"]
    assert document["ungrouped"] == {"hosts": ["unity-dev", "unity-test", "sounder-dev"]}
    host = kit.done("inventory.host", "sounder-dev").document()
    assert host == document["_meta"]["hostvars"]["sounder-dev"]
    assert host["account_id"] == OTHER_ACCOUNT
    assert kit.done("inventory.graph").out == (
        "@all:\n  |--@ungrouped:\n  |  |--unity-dev\n  |  |--unity-test\n  |  |--sounder-dev\n"
    )
    assert is_untouched(kit)


def test_an_inventory_of_ansibles_that_is_none_of_venues_is_shown_too(kit: Kit) -> None:
    kit.write_inventory({"web1": {"ansible_host": "192.0.2.1"}})
    assert kit.done("inventory.host", "web1").document() == {"ansible_host": "192.0.2.1"}
    is_one_message(kit("provision"), 2, saying="web1")


def test_variable_files_that_name_nothing_are_a_warning(kit: Kit) -> None:
    (kit.folder / "host_vars").mkdir()
    (kit.folder / "host_vars" / "unity-dve.yml").write_text("s3_allow_delete: true\n")
    said = kit.done("operator-policy", "--venue", "unity-dev").err
    assert said.startswith("warning: ")
    assert "unity-dve.yml" in said


# -- shells ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["inventory.list", "inventory.graph", "operator-policy --venue unity-dev"])
def test_a_closed_pipe_is_no_error(kit: Kit, command: str) -> None:
    process = kit.start(*command.split())
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read()
    assert (process.wait(60), said) == (0, "")


def test_a_pipe_that_is_closed_at_the_other_end_of_standard_error_keeps_the_exit_code(kit: Kit) -> None:
    process = kit.start("operator-policy", "--venue", "unity-dve")
    assert process.stderr is not None
    process.stderr.close()
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_result_that_cannot_be_written_is_exit_6(kit: Kit) -> None:
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
def test_an_external_id_that_nobody_types_is_refused(kit: Kit, redirection: str, words: str) -> None:
    command = f"issue-token --user alice --venue unity-dev --external-id - {redirection}"
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$0" -m invoke --search-root "$1" {command}', sys.executable, str(CHECKOUT)],
        cwd=kit.folder, env=kit.environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    is_one_message(Result(done.returncode, done.stdout, done.stderr), 2, saying=words)


def test_ctrl_c_at_a_prompt_is_exit_130_and_one_word(kit: Kit) -> None:
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


def test_a_run_goes_on_to_its_end_when_nobody_reads_what_it_says(tmp_path: Path, work_directory: Path) -> None:
    kit = Kit(tmp_path, work_directory)
    kit.write_inventory({"unread-dev": emulated("unread-dev")})
    process = kit.start("provision")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stderr.close()
    assert process.wait(120) == 0
    assert kit.done("status").out.startswith("unread-dev: provisioned, ")
