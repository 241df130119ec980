"""What is printed where, also when nobody reads it any more."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from venue_access import ui
from venue_access.errors import DeliveryError


def test_results_go_to_stdout_and_what_is_said_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    ui.say("planning")
    ui.warn("a slip")
    ui.error("it broke")
    ui.result("done")
    assert capsys.readouterr() == ("done\n", "planning\nwarning: a slip\nerror: it broke\n")


def test_what_is_said_gives_no_orders_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    ui.error("no\x1b[2J host\r 'a\u202eb'\n\tor so")
    row = ui.Board().row()
    row.say("\x07")
    assert capsys.readouterr().err == "error: no\\x1b[2J host\\r 'a\\u202eb'\n\tor so\n\\x07\n"


def test_a_document_is_indented_as_the_aws_cli_does_and_on_one_line_where_there_are_several(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ui.result_json({"a": 1})
    ui.result_json({"a": 1}, compact=True)
    assert capsys.readouterr().out == '{\n    "a": 1\n}\n{"a": 1}\n'


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_reader_who_has_gone_away_stops_nothing(stream: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", encoding="utf-8") as broken:
        monkeypatch.setattr(sys, stream, broken)
        ui.result("one")
        ui.say("two")
        ui.result("three")


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_stream_that_was_closed_from_the_start_stops_nothing(
    stream: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, stream, None)
    ui.result("result")
    ui.say("said")
    ui.Board().clear()
    assert "".join(capsys.readouterr()) in ("result\n", "said\n")  # and neither where the other belongs


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_result_that_cannot_be_written_is_an_error_and_a_word_that_cannot_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stderr", full)
        ui.say("planning")
    with open("/dev/full", "w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(DeliveryError, match="standard output: no space left on device"):
            ui.result("a token")


def test_elsewhere_than_on_a_terminal_a_status_is_a_line_once_and_its_details_are_left_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    board = ui.Board()
    status = board.row()
    for text in ("planning", "planning", "applying"):
        status.show(text)
    status.detail("reading aws_iam_role.this")
    board.clear()
    assert capsys.readouterr().err == "planning\napplying\n"


class Screen(io.StringIO):
    """Standard error, were it a terminal."""

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_each_piece_of_work_has_a_line_that_is_rewritten(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    board = ui.Board(side_by_side=True)
    one, other = board.row(), board.row()
    one.show("one: planning")
    other.show("other: planning")
    drawn = screen.tell()
    one.say("one: created a role")
    assert screen.getvalue()[drawn:] == "\r\x1b[1A\x1b[Jone: created a role\none: planning\nother: planning"
    drawn = screen.tell()
    one.done()
    assert screen.getvalue()[drawn:] == "\r\x1b[1A\x1b[Jother: planning"
    board.clear()
    assert screen.getvalue().endswith("\r\x1b[J")


def test_elsewhere_what_belongs_to_one_piece_of_work_comes_together(capsys: pytest.CaptureFixture[str]) -> None:
    board = ui.Board(side_by_side=True)
    one, other = board.row(), board.row()
    for row in (one, other, one, other):
        row.say(f"{'one' if row is one else 'other'}: created")
    other.warn("a rotation is under way")
    assert capsys.readouterr().err == ""
    other.done()
    board.clear()
    assert capsys.readouterr().err.split("\n") == [
        *("other: created", "other: created", "warning: a rotation is under way", "one: created", "one: created", "")
    ]
