"""Console output: results go to stdout, messages to stderr. No other module prints.

Every line for a person passes a filter that escapes control characters; only ``payload`` prints as it is.
"""

from __future__ import annotations

import errno
import getpass
import json
import os
import shutil
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from venue_access.errors import DeliveryError, UsageError, printable
from venue_access.sensitive import Secret, SensitiveStr

_closed: list[TextIO] = []  # their reader has closed the pipe
_failed: dict[TextIO, OSError] = {}
"""The streams that could not be written, with the error; later writes fail the same way."""


def reader_gone() -> bool:
    """Return whether the reader of standard output has closed the pipe."""
    return sys.stdout in _closed


def result(text: str) -> None:
    """Print a result for a person, with control characters and direction marks escaped.

    :raises DeliveryError: standard output is closed or cannot be written. A pipe closed by its reader is not an error.
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    payload(_escaped(text).encode(encoding, "backslashreplace").decode(encoding))  # it may lack characters


def payload(text: str) -> None:
    """Print a result for a program, byte for byte: JSON, statements for a shell, a file's path.

    :raises DeliveryError: as ``result``.
    """
    if sys.stdout is None:
        raise _output_error("it is closed")
    _print(text + "\n")


def result_json(document: Mapping[str, Any], *, compact: bool = False) -> None:
    """Print a result as one JSON document, indented as the AWS CLI does unless ``compact``."""
    payload(json.dumps(document) if compact else json.dumps(document, indent=4))


def finish() -> None:
    """Flush what Invoke and argparse have written to the standard streams.

    :raises DeliveryError: as ``result``.
    """
    _message("")
    if sys.stdout is not None:
        _print("")


def say(text: str) -> None:
    """Print a message, with control characters escaped: it may quote a file or a response of AWS."""
    _message(_escaped(text) + "\n")


def warn(text: str) -> None:
    """Print a warning."""
    say(f"warning: {text}")


def error(text: str) -> None:
    """Print an error."""
    say(f"error: {text}")


def ask(question: str) -> str:
    """Print a question, and return the typed line; it is empty at the end of the input."""
    _message(_escaped(question))
    return sys.stdin.readline().strip() if sys.stdin is not None else ""


def ask_until(question: str, is_valid: Callable[[str], bool], *, expected: str, hint: str) -> str:
    """Ask at the terminal until the answer is valid, and return it.

    :param expected: the message after an invalid answer.
    :param hint: how to run the command without a terminal.
    :raises UsageError: standard input is not a terminal, or the answer is empty.
    """
    _check_input(hint)
    while not is_valid(answer := ask(question)):
        if not answer:
            raise UsageError("empty answer; nothing was done")
        say(expected)
    return answer


def confirm(what: str, answer: str) -> None:
    """Ask the operator to type ``answer``.

    :raises UsageError: they type something else, or standard input is not a terminal.
    """
    _check_input("pass --yes")
    say(what)
    if ask(f"Type {answer} to confirm: ") != answer:
        raise UsageError("not confirmed; nothing was done")


def _check_input(hint: str) -> None:
    if not _at_a_terminal():
        raise UsageError("standard input is not a terminal", hint=hint)


def confidential(given: str | None, prompt: str) -> str | None:
    """Return a confidential flag's value; ``-`` reads it from standard input, so that no process list shows it."""
    if given != "-":
        return given
    if not _at_a_terminal():
        line = sys.stdin.buffer.readline() if sys.stdin is not None else b""
        return line.decode(errors="replace").rstrip("\r\n")
    try:
        return getpass.getpass(f"{prompt}: ")
    except EOFError:
        return ""


def piped(what: str) -> Secret:
    """Return standard input, which contains a ``what``.

    :raises UsageError: it is a terminal, which would show what is typed.
    """
    if _at_a_terminal():
        raise UsageError(f"standard input is a terminal; pipe the {what} into the command")
    return Secret(sys.stdin.buffer.read(65_536).decode(errors="replace") if sys.stdin is not None else "")


def check_terminal(what: str) -> None:
    """Raise ``UsageError`` if the process has no terminal to show ``what`` on."""
    try:
        os.close(_terminal())
    except OSError as error:
        raise UsageError(
            f"there is no terminal to show {what} on", hint="it is shown only on a terminal, which does not store it"
        ) from error


def show_on_terminal(label: str, secret: SensitiveStr) -> None:
    """Show a secret on the terminal, also if standard output and standard error are redirected.

    :raises DeliveryError: the terminal cannot be written.
    """
    try:
        with os.fdopen(_terminal(), "w", encoding="utf-8") as terminal:
            terminal.write(f"{label}: {secret.reveal()}\n")
    except OSError as error:
        raise DeliveryError(f"the {label} was lost: the terminal cannot be written") from error


class Board:
    """Status lines, one for each active piece of work, rewritten in place on a terminal.

    Without a terminal, or with one that cannot move its cursor (TERM=dumb), each status is printed once, without
    details. If work runs concurrently (``side_by_side``), the messages of each piece are printed together at its end.
    """

    def __init__(self, *, side_by_side: bool = False) -> None:
        moves_cursor = os.environ.get("TERM", "") not in ("", "dumb")
        self.live = sys.stderr is not None and sys.stderr.isatty() and moves_cursor
        self.gathers = side_by_side and not self.live
        self.rows: list[Row] = []
        self._drawn = 0
        self._lock = threading.RLock()

    def row(self) -> Row:
        """Add a status line."""
        row = Row(self)
        self.rows.append(row)
        return row

    def draw(self, above: str = "") -> None:
        """Redraw the status lines below ``above``, which is permanent."""
        with self._lock:
            size = shutil.get_terminal_size()
            shown = [row.text[: size.columns - 1] for row in self.rows if row.text][: size.lines - 1]
            up = f"\x1b[{self._drawn - 1}A" if self._drawn > 1 else ""
            _message(f"\r{up}\x1b[J{above}" + "\n".join(shown))
            self._drawn = len(shown)

    def clear(self) -> None:
        """Remove the status lines, and print the remaining messages."""
        for row in list(self.rows):
            row.done()


class Row:
    """The status line of one piece of work."""

    def __init__(self, board: Board) -> None:
        self.text = ""
        self._board = board
        self._gathered = ""

    def show(self, text: str) -> None:
        """Replace the status."""
        if not self._board.live and text != self.text:
            self.say(text)
        self.detail(text)
        self.text = text

    def detail(self, text: str) -> None:
        """Replace the status on a terminal; print nothing without one."""
        if self._board.live:
            self.text = printable(text)
            self._board.draw()

    def say(self, text: str) -> None:
        """Print a permanent message."""
        if self._board.gathers:
            self._gathered += _escaped(text) + "\n"
        elif self._board.live:
            self._board.draw(above=_escaped(text) + "\n")
        else:
            say(text)

    def warn(self, text: str) -> None:
        """Print a permanent warning."""
        self.say(f"warning: {text}")

    def done(self) -> None:
        """Remove the status line."""
        if self in self._board.rows:
            self._board.rows.remove(self)
        if self._board.live:
            self._board.draw()
        elif self._gathered:
            _message(self._gathered)
            self._gathered = ""


def _escaped(text: str) -> str:
    """Return lines with control characters escaped, except tabs."""
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.split("\n"))


def _print(text: str) -> None:
    try:
        _write(sys.stdout, text)
    except UnicodeEncodeError as error:
        raise _output_error(f"its encoding is {error.encoding}", hint="set PYTHONIOENCODING=utf-8") from None
    except OSError as error:
        closed = error.errno == errno.EBADF
        raise _output_error("it is closed" if closed else (error.strerror or str(error)).lower()) from error


def _output_error(reason: str, *, hint: str | None = None) -> DeliveryError:
    return DeliveryError(f"the result cannot be written to standard output: {reason}", hint=hint)


def _terminal() -> int:
    """Open the controlling terminal of this process."""
    return os.open("/dev/tty", os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)


def _at_a_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()  # None: it was closed when the process started


def _message(text: str) -> None:
    try:
        _write(sys.stderr, text)
    except OSError:
        pass  # stderr is closed: nobody reads messages


def _write(stream: TextIO | None, text: str) -> None:
    """Write and flush. A closed pipe does not stop the command: the stream is redirected to the null device."""
    if stream is None:  # it was closed when the process started
        return
    if text and stream in _failed:
        raise _failed[stream]
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        # Otherwise, the rest of its buffer would fail again when Python exits.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
        if not isinstance(error, BrokenPipeError):
            _failed[stream] = error
            raise
        _closed.append(stream)
