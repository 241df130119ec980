"""What is printed where, also when nobody reads it any more."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import pytest

from venue_access import console
from venue_access.errors import DeliveryError


def test_results_go_to_stdout_and_messages_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    console.say("planning")
    console.warn("a slip")
    console.error("it broke")
    console.result("done")
    assert capsys.readouterr() == ("done\n", "planning\nwarning: a slip\nerror: it broke\n")


def test_control_characters_in_messages_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    console.error("no\x1b[2J host\r 'a\u202eb'\n\tor so")
    row = console.Board().row()
    row.say("\x07")
    assert capsys.readouterr().err == "error: no\\x1b[2J host\\r 'a\\u202eb'\n\tor so\n\\x07\n"


def test_json_is_indented_or_compact(
    capsys: pytest.CaptureFixture[str],
) -> None:
    console.result_json({"a": 1})
    console.result_json({"a": 1}, compact=True)
    assert capsys.readouterr().out == '{\n    "a": 1\n}\n{"a": 1}\n'


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_closed_pipe_does_not_stop_the_command(stream: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", encoding="utf-8") as broken:
        monkeypatch.setattr(sys, stream, broken)
        console.result("one")
        console.say("two")
        console.result("three")


def test_closed_stderr_does_not_stop_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    console.result("result")
    console.say("said")
    console.Board().clear()
    assert "".join(capsys.readouterr()) == "result\n"


def test_closed_stdout_fails_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    for show in (console.result, console.payload, lambda text: console.result_json({"token": text})):
        with pytest.raises(DeliveryError, match="standard output: it is closed"):
            show("a token")


HOSTILE = "no\x1b[2J host\r\x9b1A\u202eb\u2066\u200f\x07\x7f\n\tor\udc80 so"


def test_control_characters_in_results_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    console.result(HOSTILE)
    shown = capsys.readouterr().out
    assert shown == "no\\x1b[2J host\\r\\x9b1A\\u202eb\\u2066\\u200f\\x07\\x7f\n\tor\\udc80 so\n"


def test_control_characters_in_questions_are_escaped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    assert console.ask("Type \x1b[2J to confirm: ") == "yes"
    assert capsys.readouterr().err == "Type \\x1b[2J to confirm: "


def test_payload_is_printed_byte_for_byte(capsys: pytest.CaptureFixture[str]) -> None:
    console.payload("export NAME='a\x1b\u202e'")
    console.result_json({"name": HOSTILE}, compact=True)
    assert capsys.readouterr().out == f"export NAME='a\x1b\u202e'\n{json.dumps({'name': HOSTILE})}\n"


def test_unencodable_characters_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, encoding="ascii"))
    console.result("für unity-dev")
    assert printed.getvalue() == b"f\\xfcr unity-dev\n"
    with pytest.raises(DeliveryError, match="its encoding is ascii"):
        console.payload("export NAME='für'")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_unwritable_result_is_an_error_and_message_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stderr", full)
        console.say("planning")
    with open("/dev/full", "w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(DeliveryError, match="standard output: no space left on device"):
            console.result("a token")
        with pytest.raises(DeliveryError, match="standard output: no space left on device"):
            console.result("another token")


def test_status_without_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    board = console.Board()
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


@pytest.mark.parametrize("terminal", ["dumb", "", None])
def test_dumb_terminal_gets_plain_lines(terminal: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    if terminal is None:
        monkeypatch.delenv("TERM", raising=False)
    else:
        monkeypatch.setenv("TERM", terminal)
    row = console.Board().row()
    row.show("planning")
    row.detail("reading aws_iam_role.this")
    row.say("created a role")
    row.done()
    assert screen.getvalue() == "planning\ncreated a role\n"


def test_status_lines_are_rewritten_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    board = console.Board(side_by_side=True)
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


def test_concurrent_rows_are_grouped_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    board = console.Board(side_by_side=True)
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
