"""The command surface: what the commands refuse, and what they list."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import tasks
from tests.functional.kit import ACCOUNT, OTHER_ACCOUNT, REGION, Kit, emulated
from tests.functional.three_venues import assert_one_error, is_untouched, three_venues

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


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    """The commands with three venues, on which no test here gets as far as AWS."""
    return three_venues(tmp_path)


# -- which venue -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", OWN_VENUE)
def test_unknown_venue_is_refused_with_candidates(kit: Kit, command: str) -> None:
    result = kit(*command.split(), "--venue", "unity-dve")
    assert_one_error(result, 2, saying="the inventory has no venue 'unity-dve'; did you mean 'unity-dev'?")
    assert "unity-dev, unity-test, sounder-dev" in result.err
    assert is_untouched(kit)


@pytest.mark.parametrize("command", OWN_VENUE)
def test_ambiguous_bare_name_is_refused_with_candidates(kit: Kit, command: str) -> None:
    result = kit(*command.split(), "--venue", "dev")
    assert_one_error(result, 2, saying="several projects have a venue 'dev'")
    assert "unity-dev, sounder-dev" in result.err


@pytest.mark.parametrize("command", ["provision", "rotate-external-id", "operator-policy"])
def test_missing_venue_is_refused_if_there_are_several(kit: Kit, command: str) -> None:
    assert_one_error(kit(command), 2, saying="choose one with --venue: unity-dev, unity-test, sounder-dev")


@pytest.mark.parametrize(("command", "flag"), [("issue-token", "--user"), ("deprovision --yes", "--venue")])
def test_missing_required_flag_is_refused(kit: Kit, command: str, flag: str) -> None:
    assert_one_error(kit(*command.split()), 2, saying=f"{flag} is required")


def test_venue_is_inferred(kit: Kit) -> None:
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
def test_invalid_limit_is_refused(kit: Kit, command: str, flags: tuple[str, ...], message: str) -> None:
    assert_one_error(kit(command, *flags), 2, saying=message)
    assert is_untouched(kit)


# -- bad values ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grace", ["soon", "-1h", "1w"])
def test_invalid_grace_is_refused(kit: Kit, grace: str) -> None:
    result = kit("rotate-external-id", "--venue", "unity-dev", f"--grace={grace}")
    assert_one_error(result, 2, saying="--grace")


def test_deprovision_needs_a_terminal_or_yes(kit: Kit) -> None:
    result = kit("deprovision", "--venue", "unity-dev", typed="unity-dev\n")
    assert_one_error(result, 2, saying="pass --yes")


def test_unknown_host_is_refused(kit: Kit) -> None:
    assert_one_error(kit("inventory.host", "unity-dve"), 2, saying="unity-dve")


@pytest.mark.parametrize("arguments", [("provison",), ("provision", "--venu", "x"), ("inventory.host",)])
def test_invokes_own_usage_errors_are_one_line_and_exit_1(kit: Kit, arguments: tuple[str, ...]) -> None:
    result = kit(*arguments)
    assert (result.code, result.out, len(result.err.splitlines())) == (1, "", 1)


# -- the inventory ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ANY_INVENTORY)
def test_missing_inventory_assert_one_error(kit: Kit, command: str) -> None:
    kit.inventory.unlink()
    result = kit(*command.split())
    assert_one_error(result, 2, saying=f"{kit.inventory}: no such file or folder; choose an inventory with --inventory")
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
def test_unreadable_inventory_names_the_file(kit: Kit, text: str, message: str) -> None:
    kit.inventory.write_text(text, encoding="utf-8")
    result = kit("provision")
    assert_one_error(result, 2, saying=message)
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
def test_invalid_variable_names_file_venue_and_key(kit: Kit, variables: dict[str, Any], message: str) -> None:
    kit.write_inventory({"unity-dev": emulated("unity-dev", **variables)})
    result = kit("provision")
    assert_one_error(result, 2, saying=message)
    assert re.search(rf"{re.escape(str(kit.inventory))}:\d+: unity-dev: ", result.err)
    assert is_untouched(kit)


def test_all_problems_are_reported_at_once(kit: Kit) -> None:
    variables = {"project": "unity", "regoin": REGION, "s3_buckets": "one", "strict_variables": True}
    kit.write_inventory({"unity-dev": variables})
    result = kit("provision")
    assert_one_error(result, 2, saying="the inventory has 5 problems:")
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
    assert "contains a private key" in result.err
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


def test_inventory_without_venues(kit: Kit) -> None:
    kit.inventory.write_text("all: {}\n", encoding="utf-8")
    assert_one_error(kit("provision"), 2, saying="the inventory has no venue")
    assert kit.done("status").out == ""


# -- what is listed --------------------------------------------------------------------------------------------------


def test_list_shows_every_command(kit: Kit) -> None:
    listed = kit.done("--list").out
    for name in tasks.namespace.task_names:
        assert f"  {name} " in listed


def test_inventory_is_shown_as_by_ansible(kit: Kit) -> None:
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


def test_inventory_without_venues_is_shown(kit: Kit) -> None:
    kit.write_inventory({"web1": {"ansible_host": "192.0.2.1"}})
    assert kit.done("inventory.host", "web1").document() == {"ansible_host": "192.0.2.1"}
    assert_one_error(kit("provision"), 2, saying="web1")


def test_unused_variable_files_are_a_warning(kit: Kit) -> None:
    (kit.folder / "host_vars").mkdir()
    (kit.folder / "host_vars" / "unity-dve.yml").write_text("s3_allow_delete: true\n")
    said = kit.done("operator-policy", "--venue", "unity-dev").err
    assert said.startswith("warning: ")
    assert "unity-dve.yml" in said
