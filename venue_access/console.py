"""The one place that prints: results to standard output, everything said to a person to standard error."""

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

_gone: list[TextIO] = []
"""The streams that whatever read them has closed."""
_failed: dict[TextIO, OSError] = {}
"""The streams that could not be written, and why: what follows on one is lost too."""


def reader_gone() -> bool:
    """Return whether whatever read standard output has closed it."""
    return sys.stdout in _gone


def result(text: str) -> None:
    """Print a result that people read, with control characters and direction marks escaped.

    :raises DeliveryError: standard output is closed or cannot be written. A reader that closed the pipe is no error.
    """
    payload(_encodable(_plain(text), sys.stdout))


def payload(text: str) -> None:
    """Print a result that a program reads, byte for byte: JSON, statements for a shell, a file's path.

    :raises DeliveryError: as ``result``.
    """
    if sys.stdout is None:
        raise _unprintable("it is closed")
    _print(text + "\n")


def result_json(document: Mapping[str, Any], *, compact: bool = False) -> None:
    """Print a result as one JSON document, indented as the AWS CLI does unless ``compact``."""
    payload(json.dumps(document) if compact else json.dumps(document, indent=4))


def finish() -> None:
    """Flush what others than this module have written to the standard streams.

    :raises DeliveryError: as ``result``.
    """
    _tell("")
    if sys.stdout is not None:
        _print("")


def say(text: str) -> None:
    """Tell the person something, which no file or answer that it quotes can turn into orders to the terminal."""
    _tell(_plain(text) + "\n")


def warn(text: str) -> None:
    """Tell the person something they had better know."""
    say(f"warning: {text}")


def error(text: str) -> None:
    """Tell the person what went wrong."""
    say(f"error: {text}")


def ask(question: str) -> str:
    """What the person types in answer; nothing at the end of the input."""
    _tell(_plain(question))
    return sys.stdin.readline().strip() if sys.stdin is not None else ""


def ask_until(question: str, fits: Callable[[str], bool], *, slip: str, otherwise: str) -> str:
    """What the person at the terminal types, asked again after a slip.

    :param otherwise: how to do without a terminal.
    :raises UsageError: there is nobody to ask, or they give up with an empty line.
    """
    if not _at_a_terminal():
        raise UsageError("there is no terminal to ask at", hint=otherwise)
    while not fits(answer := ask(question)):
        if not answer:
            raise UsageError("nothing was typed; nothing was done")
        say(slip)
    return answer


def confirm(what: str, answer: str) -> None:
    """Have the person type ``answer``.

    :raises UsageError: they type something else, or there is nobody to ask.
    """
    if not _at_a_terminal():
        raise UsageError("there is no terminal to confirm this at", hint="say --yes")
    say(what)
    if ask(f"Type {answer} to go on: ") != answer:
        raise UsageError("not confirmed; nothing was done")


def confidential(given: str | None, prompt: str) -> str | None:
    """A confidential flag's value; ``-`` takes it from standard input, so that no list of processes shows it."""
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
    """All of standard input, which holds a ``what``.

    :raises UsageError: it is a terminal, which would show what is typed.
    """
    if _at_a_terminal():
        raise UsageError(f"standard input is the terminal; pipe the {what} into the command")
    return Secret(sys.stdin.buffer.read(65_536).decode(errors="replace") if sys.stdin is not None else "")


def check_terminal(what: str) -> None:
    """See that there is a terminal to show ``what`` on.

    :raises UsageError: there is none.
    """
    try:
        os.close(_terminal())
    except OSError as error:
        raise UsageError(
            f"there is no terminal to show {what} on", hint="it is shown nowhere else: any other place keeps it"
        ) from error


def show_on_terminal(label: str, secret: SensitiveStr) -> None:
    """Show a secret to the person at the terminal, wherever standard output and error go.

    :raises DeliveryError: the terminal has gone.
    """
    try:
        with os.fdopen(_terminal(), "w", encoding="utf-8") as terminal:
            terminal.write(f"{label}: {secret.reveal()}\n")
    except OSError as error:
        raise DeliveryError(f"the terminal has gone, and the {label} with it") from error


class Board:
    """Lines that are rewritten in place on a terminal, one for each piece of work that is under way.

    Elsewhere, and on a terminal that cannot move its cursor (TERM=dumb), what they say stays, without its details;
    where the work is done side by side, what belongs to one piece comes together when that piece is done.
    """

    def __init__(self, *, side_by_side: bool = False) -> None:
        self.live = sys.stderr is not None and sys.stderr.isatty() and _moves_cursor()
        self.gathers = side_by_side and not self.live
        self.rows: list[Row] = []
        self._drawn = 0
        self._lock = threading.RLock()

    def row(self) -> Row:
        """A line for one more piece of work."""
        row = Row(self)
        self.rows.append(row)
        return row

    def draw(self, above: str = "") -> None:
        """Show the lines as they are now, below ``above``, which stays."""
        with self._lock:
            size = shutil.get_terminal_size()
            shown = [row.text[: size.columns - 1] for row in self.rows if row.text][: size.lines - 1]
            up = f"\x1b[{self._drawn - 1}A" if self._drawn > 1 else ""
            _tell(f"\r{up}\x1b[J{above}" + "\n".join(shown))
            self._drawn = len(shown)

    def clear(self) -> None:
        """Take the lines away, and say what is left to be said."""
        for row in list(self.rows):
            row.done()


class Row:
    """The line of one piece of work."""

    def __init__(self, board: Board) -> None:
        self.text = ""
        self._board = board
        self._gathered = ""

    def show(self, text: str) -> None:
        """Replace what the line says."""
        if not self._board.live and text != self.text:
            self.say(text)
        self.detail(text)
        self.text = text

    def detail(self, text: str) -> None:
        """Replace what the line says on a terminal; it is too much anywhere else."""
        if self._board.live:
            self.text = printable(text)
            self._board.draw()

    def say(self, text: str) -> None:
        """Tell the person something that stays."""
        if self._board.gathers:
            self._gathered += _plain(text) + "\n"
        elif self._board.live:
            self._board.draw(above=_plain(text) + "\n")
        else:
            say(text)

    def warn(self, text: str) -> None:
        """As ``say``, with a warning."""
        self.say(f"warning: {text}")

    def done(self) -> None:
        """Take the line away."""
        if self in self._board.rows:
            self._board.rows.remove(self)
        if self._board.live:
            self._board.draw()
        elif self._gathered:
            _tell(self._gathered)
            self._gathered = ""


def _plain(text: str) -> str:
    """Lines without anything that a terminal obeys, but for tabs."""
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.split("\n"))


def _print(text: str) -> None:
    try:
        _write(sys.stdout, text)
    except UnicodeEncodeError as error:
        raise _unprintable(f"its encoding is {error.encoding}", hint="set PYTHONIOENCODING=utf-8") from None
    except OSError as error:
        closed = error.errno == errno.EBADF
        raise _unprintable("it is closed" if closed else (error.strerror or str(error)).lower()) from error


def _unprintable(reason: str, *, hint: str | None = None) -> DeliveryError:
    return DeliveryError(f"the result cannot be written to standard output: {reason}", hint=hint)


def _encodable(text: str, stream: TextIO | None) -> str:
    """Escape the characters that a stream's encoding lacks."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _moves_cursor() -> bool:
    return os.environ.get("TERM", "") not in ("", "dumb")


def _terminal() -> int:
    """A descriptor of the terminal that this process is of."""
    return os.open("/dev/tty", os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)


def _at_a_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()  # None: the process was started with it closed


def _tell(text: str) -> None:
    try:
        _write(sys.stderr, text)
    except OSError:
        pass  # there is nobody left to tell


def _write(stream: TextIO | None, text: str) -> None:
    """Write and flush; a stream that takes no more is one nobody reads, and what the command does goes on."""
    if stream is None:  # the process was started with it closed
        return
    if text and stream in _failed:
        raise _failed[stream]
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        # What is left in its buffer would fail again when Python ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        if not isinstance(error, BrokenPipeError):
            _failed[stream] = error
            raise
        _gone.append(stream)
