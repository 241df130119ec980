"""The table of commands, and the checks of flags that every command makes first."""

from __future__ import annotations

from importlib import import_module

import pytest
from invoke.tasks import Task

import tasks
from scripts.docs import arguments_of
from tests.sources import CHECKOUT
from venue_access.cli.command import check_text
from venue_access.cli.program import COMMANDS, collection
from venue_access.errors import UsageError

ALL = {name for names in COMMANDS.values() for name in names}


def test_table_has_every_command() -> None:
    modules = {file.stem for file in (CHECKOUT / "venue_access/cli").glob("*.py")}
    assert modules - {"__init__", "command", "program"} == set(COMMANDS)
    for module, names in COMMANDS.items():
        loaded = vars(import_module(f"venue_access.cli.{module}")).values()
        found = collection(["invoke", *names])
        assert {found[name] for name in names} == {each for each in loaded if isinstance(each, Task)}
    assert set(tasks.namespace.task_names) == ALL


@pytest.mark.parametrize(
    ("line", "modules"),
    [
        ("issue-token --user alice", ["tokens"]),
        ("provision --venue unity-dev --check verify --json", ["venues"]),
        ("provision account.list local.up", ["account", "maintenance", "venues"]),
        ("drift --json=external-id.send", ["tokens", "venues"]),
        ("verify issue_token", ["tokens", "venues"]),  # with tasks.auto_dash_names set to false
        ("tokens --help", ["ledger"]),
    ],
)
def test_only_named_commands_are_loaded(line: str, modules: list[str]) -> None:
    found = collection(["invoke", *line.split()])
    assert set(found.task_names) == {name for module in modules for name in COMMANDS[module]}


@pytest.mark.parametrize(
    "line",
    [
        *("", "--list", "--help", "nosuch", "nosuch verify", "-- verify", "--search-root verify"),
        *("--help verify", "-h verify", "--complete -- verify --", "verify --list", "verify -el", "verify --complete"),
    ],
)
def test_otherwise_all_commands_are_loaded(line: str) -> None:
    assert set(collection(["invoke", *line.split()]).task_names) == ALL


FREE_TEXTS = ("destination", "issuer", "profile_name", "reason", "resource", "service", "source_profile")


@pytest.mark.parametrize("flag", [*FREE_TEXTS, "session", "undo", "venue", "duration"])
def test_long_text_is_refused_and_not_shown(flag: str) -> None:
    check_text(flag, "x" * 1_000)
    with pytest.raises(UsageError) as refused:
        check_text(flag, "x" * 1_001)
    assert str(refused.value) == f"--{flag.replace('_', '-')} has 1,001 characters\n  the limit is 1,000"


@pytest.mark.parametrize("flag", FREE_TEXTS)
@pytest.mark.parametrize("char", ["\n", "\t", "\x1b", "\x85", "\u202e", "\u2028", "\udcff"])
def test_control_characters_in_free_text_are_refused(flag: str, char: str) -> None:
    with pytest.raises(UsageError, match="direction mark: character 5"):
        check_text(flag, f"case{char}7")


@pytest.mark.parametrize("flag", ["user", "limit", "recipient", "external_id"])
def test_lists_and_keys_may_be_longer(flag: str) -> None:
    check_text(flag, "x" * 10_000)


def test_reason_flags_are_checked() -> None:
    found = {name for name in tasks.namespace.task_names for flag in arguments_of(name) if flag.name == "reason"}
    assert {"issue-token", "revoke-token", "console-url"} <= found
