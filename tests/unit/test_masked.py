"""What is kept from eyes does not show, whatever one does with it."""

from __future__ import annotations

import copy
import json
import operator
import pickle
import traceback
from dataclasses import dataclass

import pytest

from venue_access.masked import MASK, ExternalId, Masked, Secret, scrub

TEXT = "do-not-show-me"
VALUES = [ExternalId(TEXT), Secret(TEXT)]


@dataclass(frozen=True)
class _Holder:
    value: Masked


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
def test_it_prints_as_a_mask(value: Masked, shown: object) -> None:
    assert callable(shown)
    assert TEXT not in shown(value)
    assert MASK in shown(value)


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("written", [json.dumps, pickle.dumps, copy.copy, copy.deepcopy])
def test_what_would_write_or_copy_it_fails_without_showing_it(value: Masked, written: object) -> None:
    assert callable(written)
    with pytest.raises(TypeError) as refused:
        written({"key": value} if written is json.dumps else value)
    assert TEXT not in "".join(traceback.format_exception(refused.value))


def test_reveal_is_the_way_to_the_text() -> None:
    assert ExternalId(TEXT).reveal() == TEXT


def test_equal_texts_are_equal_and_go_by_one_key() -> None:
    assert ExternalId("a") == ExternalId("a") != ExternalId("b")
    assert len({ExternalId("a"), ExternalId("a"), ExternalId("b")}) == 2
    assert ExternalId("a") != "a"


def test_a_text_that_is_no_unicode_is_compared_without_being_shown() -> None:
    assert ExternalId("\udcff") != ExternalId("\udcfe")


def test_scrubbing_leaves_nothing_of_a_value_that_begins_like_another() -> None:
    text = "the IDs are abcdef and abc"
    assert scrub(text, ExternalId("abc"), ExternalId("abcdef"), None) == f"the IDs are {MASK} and {MASK}"


def test_scrubbing_an_empty_value_changes_nothing() -> None:
    assert scrub("as it was", Secret("")) == "as it was"


@pytest.mark.parametrize("text", ["ab", "a" * 1224, "Az09_+=,.@:/-"])
def test_an_external_id_that_aws_takes_fits(text: str) -> None:
    assert ExternalId(text).fits


@pytest.mark.parametrize("text", ["", "a", "a" * 1225, "a b", "ab\n", "é" * 3, "١٢٣", "a;b", "a*"])
def test_an_external_id_that_aws_refuses_does_not_fit(text: str) -> None:
    assert not ExternalId(text).fits
