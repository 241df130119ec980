"""The chain finds what was done to a ledger, and names the place."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.ledger.records import a_chain, a_record
from venue_access.ledger.chain import NOTHING, End, Line, canonical, end_of, link, read, read_all
from venue_access.ledger.verify import Examination, examine

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
def test_intact_chain_has_no_faults(count: int) -> None:
    assert found(a_chain(count)) == []


@pytest.mark.parametrize("place", range(5))
def test_changed_record_is_reported_with_line_time_and_operator(place: int) -> None:
    lines = [*FIVE]
    lines[place] = changed(lines[place], recipient="mallory")
    assert found(lines) == [
        f"line {place + 1} (record {place + 1}: issue, 2026-11-20T12:0{place}:00Z,"
        " by arn:aws:sts::111122223333:assumed-role/portal/anna) was changed"
    ]


@pytest.mark.parametrize("place", range(4))
def test_recomputed_hash_is_reported(place: int) -> None:
    lines = [*FIVE]
    lines[place] = rehashed(lines[place], recipient="mallory")
    [fault] = found(lines)
    assert fault.startswith(f"line {place + 1} (record {place + 1}: issue,")
    assert f"was changed and its hash recomputed: line {place + 2} does not carry it" in fault


def test_recomputed_last_hash_is_found_with_earlier_head() -> None:
    lines = [*FIVE[:4], rehashed(FIVE[4], recipient="mallory")]
    assert found(lines) == []
    assert "is missing: the end was truncated or rewritten" in found(lines, head(FIVE[4]))[0]


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        ([1, 2, 3, 4], "record 1 was removed, before line 1 (record 2:"),
        ([0, 1, 3, 4], "record 3 was removed, between line 2 (record 2:"),
        ([0, 4], "records 2 to 4 were removed, between line 1 (record 1:"),
    ],
)
def test_removed_records_are_reported_with_their_neighbours(kept: list[int], said: str) -> None:
    [fault] = found([FIVE[place] for place in kept])
    assert fault.startswith(said)
    assert "by arn:aws:sts::111122223333:assumed-role/portal/anna" in fault


def test_moved_record_is_reported() -> None:
    [fault] = found([FIVE[0], FIVE[2], FIVE[1], FIVE[3], FIVE[4]])
    assert fault.startswith("line 3 (record 2:")
    assert fault.endswith("was moved: it is after record 3")


def test_repeated_record_is_reported() -> None:
    [fault] = found([*FIVE[:3], FIVE[1], *FIVE[3:]])
    assert fault.startswith("line 4 (record 2:")
    assert fault.endswith("repeats the number of line 2")


def test_malformed_line_is_reported() -> None:
    for text in ("", "{}", "[1]", "null", "\0" * 200, '{"hash": 1, "number": 3, "previous": ""}', "[" * 100_000):
        assert found([*FIVE[:2], Line("", text), *FIVE[3:]]) == ["line 3 is not a record"]


def test_duplicate_key_is_reported() -> None:
    text = FIVE[2].text.replace('"recipient":', '"recipient":"mallory","recipient":', 1)
    [fault] = found([*FIVE[:2], Line("", text), *FIVE[3:]])
    assert fault.startswith("line 3 ")


def test_truncated_end_is_found_with_earlier_head() -> None:
    assert found(FIVE[:3]) == []
    [fault] = found(FIVE[:3], head(FIVE[4]))
    assert "the end was truncated" in fault
    assert "the last is line 3 (record 3:" in fault
    [fault] = found([], head(FIVE[0]))
    assert fault.endswith("it is empty")


def test_earlier_head_is_still_present() -> None:
    assert found(FIVE, head(FIVE[2])) == []
    assert found(FIVE, NOTHING) == []


def test_rewritten_chain_is_found_with_earlier_head() -> None:
    [fault] = found([rehashed(FIVE[0], venue="sounder-dev")], head(FIVE[0]))
    assert "rewritten" in fault


@given(st.data())
def test_changed_characters_are_found(data: st.DataObject) -> None:
    lines = [*FIVE]
    place = data.draw(st.integers(0, 4))
    text = lines[place].text
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="ascii", exclude_categories=["Cc"]).filter(lambda one: one != text[at]))
    lines[place] = replace(lines[place], text=text[:at] + other + text[at + 1 :])
    assert found(lines)


@given(st.permutations(range(5)), st.integers(1, 5))
def test_reordering_and_gaps_are_found(order: list[int], kept: int) -> None:
    lines = [FIVE[place] for place in order[:kept]]
    assert bool(found(lines)) == (order[:kept] != list(range(kept)))


def planted(end: End, **values: object) -> Line:
    """An entry that somebody made who knows how."""
    return changed_and_hashed(link(a_record(recipient="mallory"), end)[0], **values)


def changed_and_hashed(text: str, **values: object) -> Line:
    return rehashed(Line("", text), **values)


def test_unlinked_entry_is_not_the_head() -> None:
    last = read(FIVE[4], 4)
    for line in (
        planted(End(5, "f" * 64)),
        planted(End(999, "f" * 64)),
        planted(End(4, last.hash)),
        planted(End()),
        planted(End(5, last.hash), number=7),
        planted(End(5, last.hash), skipped=-1),
        planted(End(5, last.hash), skipped="1"),
        planted(End(5, last.hash), found=5),
        Line("", "{}"),
    ):
        end = end_of(read_all([*FIVE, line]))
        assert (end.number, end.hash) == (5, last.hash)
        assert (len(end.damaged), end.skipped) == (1, 1)
        text, _ = link(a_record(), end)
        lines = [*FIVE, line, Line("", text)]
        assert json.loads(text)["number"] == 7
        assert end_of(read_all(lines)).damaged == ()
        assert "line 6" in "".join(found(lines))
        assert "line 7" not in examined(lines).unverified


def test_malformed_entry_implies_no_gap() -> None:
    garbage = [Line("", "garbage", 8), Line("", "{}", 12)]
    assert found([*FIVE, *garbage]) == ["line 6 is not a record", "line 7 is not a record"]
    assert "record 3 was removed" in "".join(found([*FIVE[:2], *FIVE[3:], *garbage]))


def test_forged_record_is_reported_on_one_line() -> None:
    forged = changed(FIVE[4], operator="mallory\nledger: 5 records; none was changed")
    [fault] = found([*FIVE[:4], forged])
    assert "by mallory\\nledger: 5 records" in fault


def test_entry_that_skips_intact_entries_is_unverified() -> None:
    third, last = read(FIVE[2], 2), read(FIVE[4], 4)
    liar = planted(End(3, third.hash, (last,), 2))
    end = end_of(read_all([*FIVE, liar]))
    assert (end.number, end.hash) == (5, last.hash)
    for lines in ([*FIVE, liar], [*FIVE, liar, Line("", link(a_record(), end)[0])]):
        assert examined(lines).unverified == {"line 6"}


def test_skipped_entry_changed_again_is_reported() -> None:
    garbage = Line("line 6", "garbage")
    text, _ = link(a_record(), end_of(read_all([*FIVE, garbage])))
    assert "changed or put there since" not in "".join(found([*FIVE, garbage, Line("", text)]))
    [fault] = found([*FIVE, replace(garbage, text="other garbage"), Line("", text)])
    assert fault.endswith("skips it, and it was changed or inserted since")


def test_linked_entry_of_two_with_one_number_is_trusted() -> None:
    intruder = planted(End(2, read(FIVE[1], 1).hash))
    assert examined([*FIVE[:2], intruder, *FIVE[2:]]).unverified == {"line 3"}
    assert examined([*FIVE[:3], intruder, *FIVE[3:]]).unverified == {"line 4"}


@given(st.data())
def test_next_entry_is_linked_to_the_last_intact_one(data: st.DataObject) -> None:
    garbage = [Line("", text) for text in data.draw(st.lists(st.text(), min_size=1, max_size=40))]
    end = end_of(read_all([*FIVE, *garbage]))
    assert end.number == 5
    lines = [*FIVE, *garbage, Line("", link(a_record(), end)[0])]
    assert end_of(read_all(lines)).damaged == ()
    assert len(found(lines)) == len(garbage)
