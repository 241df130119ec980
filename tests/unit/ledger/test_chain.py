"""The chain finds what was done to a ledger, and names the place."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.ledger.records import a_chain
from venue_access.ledger.chain import NOTHING, Line, faults, head_of, read_all
from venue_access.ledger.record import canonical

FIVE = a_chain(5)


def found(lines: list[Line], head: str | None = None) -> list[str]:
    """The faults, with the lines counted anew, as they stand."""
    return faults(read_all([replace(line, where=f"line {n}") for n, line in enumerate(lines, 1)]), head=head)


def changed(line: Line, **values: object) -> Line:
    return replace(line, text=canonical({**json.loads(line.text), **values}))


def rehashed(line: Line, **values: object) -> Line:
    """Changed by somebody who knows how the hash is made."""
    document = {**json.loads(line.text), **values}
    document.pop("hash")
    document["hash"] = hashlib.sha256(canonical(document).encode()).hexdigest()
    return replace(line, text=canonical(document))


def head(line: Line) -> str:
    return head_of(line.text).hash


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_chain_that_nobody_touched_is_whole(count: int) -> None:
    assert found(a_chain(count)) == []


@pytest.mark.parametrize("place", range(5))
def test_a_record_that_was_changed_is_named_with_its_line_time_and_operator(place: int) -> None:
    lines = [*FIVE]
    lines[place] = changed(lines[place], recipient="mallory")
    assert found(lines) == [
        f"line {place + 1} (record {place + 1}: issue, 2026-11-20T12:0{place}:00Z,"
        " by arn:aws:sts::111122223333:assumed-role/portal/anna) was changed"
    ]


@pytest.mark.parametrize("place", range(4))
def test_a_record_whose_hash_was_made_to_fit_is_named(place: int) -> None:
    lines = [*FIVE]
    lines[place] = rehashed(lines[place], recipient="mallory")
    [fault] = found(lines)
    assert fault.startswith(f"line {place + 1} (record {place + 1}: issue,")
    assert f"was changed, and its hash made to fit: line {place + 2} does not carry it" in fault


def test_the_last_record_with_its_hash_made_to_fit_is_found_against_the_head() -> None:
    lines = [*FIVE[:4], rehashed(FIVE[4], recipient="mallory")]
    assert found(lines) == []
    assert "is not there: the end was cut off or rewritten" in found(lines, head(FIVE[4]))[0]


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        ([1, 2, 3, 4], "record 1 was removed, before line 1 (record 2:"),
        ([0, 1, 3, 4], "record 3 was removed, between line 2 (record 2:"),
        ([0, 4], "records 2 to 4 were removed, between line 1 (record 1:"),
    ],
)
def test_records_that_were_removed_are_named_with_those_around_them(kept: list[int], said: str) -> None:
    [fault] = found([FIVE[place] for place in kept])
    assert fault.startswith(said)
    assert "by arn:aws:sts::111122223333:assumed-role/portal/anna" in fault


def test_a_record_that_was_moved_is_named() -> None:
    [fault] = found([FIVE[0], FIVE[2], FIVE[1], FIVE[3], FIVE[4]])
    assert fault.startswith("line 3 (record 2:")
    assert fault.endswith("was moved: it stands after record 3")


def test_a_record_that_was_repeated_is_named() -> None:
    [fault] = found([*FIVE[:3], FIVE[1], *FIVE[3:]])
    assert fault.startswith("line 4 (record 2:")
    assert fault.endswith("repeats the number of line 2")


def test_a_line_that_is_no_record_is_named() -> None:
    for text in ("", "{}", "[1]", "null", "\0" * 200, '{"hash": 1, "number": 3, "previous": ""}', "[" * 100_000):
        assert found([*FIVE[:2], Line("", text), *FIVE[3:]]) == ["line 3 was changed"]


def test_a_key_that_is_given_twice_does_not_hide() -> None:
    text = FIVE[2].text.replace('"recipient":', '"recipient":"mallory","recipient":', 1)
    [fault] = found([*FIVE[:2], Line("", text), *FIVE[3:]])
    assert fault.startswith("line 3 ")


def test_an_end_that_was_cut_off_is_found_against_the_head() -> None:
    assert found(FIVE[:3]) == []
    [fault] = found(FIVE[:3], head(FIVE[4]))
    assert "the end was cut off" in fault
    assert "the last is line 3 (record 3:" in fault
    [fault] = found([], head(FIVE[0]))
    assert fault.endswith("it is empty")


def test_a_head_of_earlier_is_still_there() -> None:
    assert found(FIVE, head(FIVE[2])) == []
    assert found(FIVE, NOTHING) == []


def test_a_chain_that_was_begun_anew_is_found_against_the_head() -> None:
    [fault] = found([rehashed(FIVE[0], venue="sounder-dev")], head(FIVE[0]))
    assert "rewritten" in fault


@given(st.data())
def test_no_change_of_a_character_goes_unseen(data: st.DataObject) -> None:
    lines = [*FIVE]
    place = data.draw(st.integers(0, 4))
    text = lines[place].text
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="ascii", exclude_categories=["Cc"]).filter(lambda one: one != text[at]))
    lines[place] = replace(lines[place], text=text[:at] + other + text[at + 1 :])
    assert found(lines)


@given(st.permutations(range(5)), st.integers(1, 5))
def test_no_other_order_and_no_gap_goes_unseen(order: list[int], kept: int) -> None:
    lines = [FIVE[place] for place in order[:kept]]
    assert bool(found(lines)) == (order[:kept] != list(range(kept)))


def test_after_a_last_line_that_was_changed_nothing_is_linked() -> None:
    with pytest.raises(ValueError, match="its last record was changed"):
        head_of(changed(FIVE[4], venue="x").text)
    assert head_of(None).hash == NOTHING
