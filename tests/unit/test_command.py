"""What every command refuses of its flags before it does anything."""

from __future__ import annotations

import pytest

import tasks
from scripts.docs import arguments_of
from venue_access.cli.command import check_text
from venue_access.errors import UsageError

FREE_TEXTS = ("destination", "issuer", "profile_name", "reason", "resource", "service", "source_profile")


@pytest.mark.parametrize("flag", [*FREE_TEXTS, "session", "undo", "venue", "duration"])
def test_a_text_of_more_than_1000_characters_is_refused_without_being_repeated(flag: str) -> None:
    check_text(flag, "x" * 1_000)
    with pytest.raises(UsageError) as refused:
        check_text(flag, "x" * 1_001)
    assert str(refused.value) == f"--{flag.replace('_', '-')} has 1,001 characters\n  it may have 1,000"


@pytest.mark.parametrize("flag", FREE_TEXTS)
@pytest.mark.parametrize("char", ["\n", "\t", "\x1b", "\x85", "\u202e", "\u2028", "\udcff"])
def test_free_text_with_a_control_or_direction_character_is_refused(flag: str, char: str) -> None:
    with pytest.raises(UsageError, match="direction mark: character 5"):
        check_text(flag, f"case{char}7")


@pytest.mark.parametrize("flag", ["user", "limit", "recipient", "external_id"])
def test_lists_and_keys_may_be_longer(flag: str) -> None:
    check_text(flag, "x" * 10_000)


def test_every_flag_called_reason_is_covered() -> None:
    found = {name for name in tasks.namespace.task_names for flag in arguments_of(name) if flag.name == "reason"}
    assert {"issue-token", "revoke-token", "console-url"} <= found
