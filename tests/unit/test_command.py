"""What every command refuses of its flags before it does anything."""

from __future__ import annotations

import pytest

import tasks
from scripts.docs import arguments_of
from venue_access.cli.command import check_text
from venue_access.errors import UsageError

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


def test_every_flag_called_reason_is_covered() -> None:
    found = {name for name in tasks.namespace.task_names for flag in arguments_of(name) if flag.name == "reason"}
    assert {"issue-token", "revoke-token", "console-url"} <= found
