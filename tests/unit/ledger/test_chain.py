"""The chain finds what was done to a ledger, and names the place."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.ledger.records import a_chain, a_record
from venue_access.ledger.chain import NOTHING, End, Head, Line, end_of, link, read, read_all
from venue_access.ledger.examine import Examination, examine
from venue_access.ledger.record import canonical

FIVE = a_chain(5)


def examined(lines: list[Line], head: str | None = None) -> Examination:
    """What is found, with the lines numbered as they stand."""
    return examine(read_all([replace(line, where=f"line {n}") for n, line in enumerate(lines, 1)]), head=head)


def found(lines: list[Line], head: str | None = None) -> list[str]:
    return examined(lines, head).faults


def changed(line: Line, **values: object) -> Line:
    return replace(line, text=canonical({**json.loads(line.text), **values}))


def rehashed(line: Line, **values: object) -> Line:
    """Changed by somebody who knows how the hash is made."""
    document = {**json.loads(line.text), **values}
    document.pop("hash")
    document["hash"] = hashlib.sha256(canonical(document).encode()).hexdigest()
    return replace(line, text=canonical(document))


def head(line: Line) -> str:
    return read(line, 0).hash


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
        assert found([*FIVE[:2], Line("", text), *FIVE[3:]]) == ["line 3 is not a record"]


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


def planted(end: End | Head, **values: object) -> Line:
    """An entry that somebody made who knows how."""
    return changed_and_hashed(link(a_record(recipient="mallory"), end)[0], **values)


def changed_and_hashed(text: str, **values: object) -> Line:
    return rehashed(Line("", text), **values)


def test_an_entry_that_is_linked_to_nothing_is_not_the_head() -> None:
    last = read(FIVE[4], 4)
    for line in (
        planted(Head(5, "f" * 64)),
        planted(Head(999, "f" * 64)),
        planted(Head(4, last.hash)),
        planted(Head()),
        planted(End(Head(5, last.hash)), number=7),
        planted(Head(5, last.hash), skipped=-1),
        planted(Head(5, last.hash), skipped="1"),
        Line("", "{}"),
    ):
        end = end_of(read_all([*FIVE, line]))
        assert end.head == Head(5, last.hash)
        assert (len(end.damaged), end.skipped) == (1, 1)
        text, _ = link(a_record(), end)
        lines = [*FIVE, line, Line("", text)]
        assert json.loads(text)["number"] == 7
        assert end_of(read_all(lines)).damaged == ()
        assert "line 6" in "".join(found(lines))
        assert "line 7" not in examined(lines).doubted


def test_what_is_no_record_says_nothing_of_records_before_it() -> None:
    garbage = [Line("", "garbage", 8), Line("", "{}", 12)]
    assert found([*FIVE, *garbage]) == ["line 6 is not a record", "line 7 is not a record"]
    assert "record 3 was removed" in "".join(found([*FIVE[:2], *FIVE[3:], *garbage]))


def test_a_forged_record_is_named_on_one_line() -> None:
    forged = changed(FIVE[4], operator="mallory\nledger: 5 records; none was changed")
    [fault] = found([*FIVE[:4], forged])
    assert "by mallory\\nledger: 5 records" in fault


def test_an_entry_that_disowns_sound_ones_is_doubted_itself() -> None:
    third, last = read(FIVE[2], 2), read(FIVE[4], 4)
    liar = planted(End(Head(3, third.hash), (last,), 2))
    end = end_of(read_all([*FIVE, liar]))
    assert end.head == Head(5, last.hash)
    for lines in ([*FIVE, liar], [*FIVE, liar, Line("", link(a_record(), end)[0])]):
        assert examined(lines).doubted == {"line 6"}


def test_what_an_entry_goes_on_after_may_not_be_changed_again() -> None:
    garbage = Line("line 6", "garbage")
    text, _ = link(a_record(), end_of(read_all([*FIVE, garbage])))
    assert "changed or put there since" not in "".join(found([*FIVE, garbage, Line("", text)]))
    [fault] = found([*FIVE, replace(garbage, text="other garbage"), Line("", text)])
    assert fault.endswith("goes on after it, and it was changed or put there since")


def test_of_two_with_one_number_the_one_that_is_linked_is_relied_on() -> None:
    intruder = planted(Head(2, read(FIVE[1], 1).hash))
    assert examined([*FIVE[:2], intruder, *FIVE[2:]]).doubted == {"line 3"}
    assert examined([*FIVE[:3], intruder, *FIVE[3:]]).doubted == {"line 4"}


@given(st.data())
def test_whatever_is_put_at_the_end_the_next_is_linked_to_what_was_sound(data: st.DataObject) -> None:
    garbage = [Line("", text) for text in data.draw(st.lists(st.text(), min_size=1, max_size=40))]
    end = end_of(read_all([*FIVE, *garbage]))
    assert end.head.number == 5
    lines = [*FIVE, *garbage, Line("", link(a_record(), end)[0])]
    assert end_of(read_all(lines)).damaged == ()
    assert len(found(lines)) == len(garbage)
