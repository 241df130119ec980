"""What is kept from eyes does not show, whatever one does with it."""

from __future__ import annotations

import copy
import json
import operator
import pickle
import traceback
from dataclasses import dataclass

import pytest

from venue_access import sensitive as masked
from venue_access.provisioning.venue_snapshot import new_external_id
from venue_access.sensitive import REDACTED, ExternalId, Secret, SensitiveStr, redact, redact_all

TEXT = "do-not-show-me"
VALUES = [ExternalId(TEXT), Secret(TEXT)]


@dataclass(frozen=True)
class _Holder:
    value: SensitiveStr


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize(
    "shown",
    [
        str,
        repr,
        "{}".format,
        "{:>20}".format,
        "{!r}".format,
        lambda value: operator.mod("%s %r", (value, value)),
        lambda value: f"{value} {[value]} { ({'key': value}) }",
        lambda value: str(_Holder(value)),
        lambda value: f"{ValueError(value)} {ValueError(value)!r}",
    ],
)
def test_value_is_redacted_when_printed(value: SensitiveStr, shown: object) -> None:
    assert callable(shown)
    assert TEXT not in shown(value)
    assert REDACTED in shown(value)


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("written", [json.dumps, pickle.dumps, copy.copy, copy.deepcopy])
def test_serializing_fails_without_showing_the_value(value: SensitiveStr, written: object) -> None:
    assert callable(written)
    with pytest.raises(TypeError) as refused:
        written({"key": value} if written is json.dumps else value)
    assert TEXT not in "".join(traceback.format_exception(refused.value))


def test_reveal_returns_the_text() -> None:
    assert ExternalId(TEXT).reveal() == TEXT


def test_equality_and_hash() -> None:
    assert ExternalId("a") == ExternalId("a") != ExternalId("b")
    assert len({ExternalId("a"), ExternalId("a"), ExternalId("b")}) == 2
    assert ExternalId("a") != "a"


def test_invalid_unicode_is_compared() -> None:
    assert ExternalId("\udcff") != ExternalId("\udcfe")


def test_redact_handles_common_prefixes() -> None:
    text = "the IDs are abcdef and abc"
    assert redact(text, ExternalId("abc"), ExternalId("abcdef"), None) == f"the IDs are {REDACTED} and {REDACTED}"


def test_redact_ignores_empty_values() -> None:
    assert redact("as it was", Secret("")) == "as it was"


@pytest.mark.parametrize("text", ["ab", "a" * 1224, "Az09_+=,.@:/-"])
def test_valid_external_id(text: str) -> None:
    assert ExternalId(text).fits


@pytest.mark.parametrize("text", ["", "a", "a" * 1225, "a b", "ab\n", "é" * 3, "١٢٣", "a;b", "a*"])
def test_invalid_external_id(text: str) -> None:
    assert not ExternalId(text).fits


@pytest.fixture
def _nothing_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has held no sensitive value yet."""
    monkeypatch.setattr(masked, "_held", {})


LONG = "platform/ID+of=2026"


@pytest.mark.usefixtures("_nothing_held")
@pytest.mark.parametrize(
    ("written", "redacted"),
    [
        (f"they sent {LONG}", "they sent ****"),
        (f"x{LONG}y and {LONG}", "x****y and ****"),
        (f"shouted {LONG.upper()}", "shouted ****"),
        ("from a URL: platform%2FID%2Bof%3D2026", "from a URL: ****"),
        ("from a URL: id=platform/ID%2bof=2026&a=%20b", "from a URL: id=****&a= b"),
        ("platform/ID+of=202", "platform/ID+of=202"),
        ("100% sure", "100% sure"),
    ],
)
def test_redact_finds_a_long_value_anywhere_in_any_case_and_url_encoded(written: str, redacted: str) -> None:
    kept = [ExternalId(LONG), Secret(LONG + "-and-more")]
    assert redact_all(written) == redacted
    assert redact_all(kept[1].reveal()) == REDACTED  # the longer value first


@pytest.mark.usefixtures("_nothing_held")
def test_short_value_is_redacted_only_as_a_word() -> None:
    kept = [ExternalId("ab"), Secret("123456"), Secret("test")]
    assert (
        redact_all("ab: about cab, ab-1, 123456 and 1234567, a test")
        == "****: about cab, ****-1, **** and 1234567, a test"
    )
    assert len(kept) == 3


@pytest.mark.usefixtures("_nothing_held")
def test_redact_all_remembers_deleted_values() -> None:
    ExternalId("of-an-earlier-call")
    assert redact_all("it was of-an-earlier-call") == "it was ****"


def test_redact_all_finds_generated_external_ids(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = new_external_id().reveal()
    monkeypatch.setattr(masked, "_held", {})
    assert redact_all(f"old ID: {text}, {text.upper()}") == "old ID: ****, ****"
