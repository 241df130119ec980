"""The ledger of this machine: a file of lines to which lines are only added."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from shlex import quote

from venue_access import console
from venue_access.config import Settings
from venue_access.jsonl import TIMEOUT, WholeLines, append_private, look_at_lines, read_lines
from venue_access.ledger.chain import End, Line, end_of, link, read_all
from venue_access.ledger.record import Record


class LocalLedger:
    """The file ``ledger.jsonl`` of the work directory.

    :param timeout: seconds to wait for another process that is writing it.
    :param say: takes a line for the person, once a wait begins.
    """

    def __init__(
        self, settings: Settings, *, timeout: float = TIMEOUT, say: Callable[[str], None] = console.say
    ) -> None:
        self._settings = settings
        self._path = settings.work_directory / "ledger.jsonl"
        self._timeout = timeout
        self._say = say
        self._told = False

    @property
    def name(self) -> str:
        return str(self._path)

    @property
    def way_out(self) -> str:
        """Return what to do about damage."""
        path = quote(str(self._path))
        return f"keep the file for whoever looks into it; to begin a new ledger, move it away: mv {path} {path}.damaged"

    def prepare(self) -> tuple[End, bool]:
        """Return where it ends, having seen that a record can be added, which the disk always shows.

        :raises UsageError: none can be added.
        """
        self._settings.folder()
        return look_at_lines(self._path, self._end, timeout=self._timeout, waiting=self._waiting), True

    def end(self) -> End:
        """Return where it ends."""
        return end_of(read_all(self.lines()))

    def append(self, record: Record) -> End:
        """Add a record; on the disk when this returns.

        :returns: what it was linked to.
        :raises UsageError: it cannot be written; the ledger is as it was.
        """
        self._settings.folder()
        ends: list[End] = []

        def after(lines: WholeLines) -> str:
            ends.append(self._end(lines))
            return link(record, ends[0])[0]

        append_private(self._path, after, timeout=self._timeout, waiting=self._waiting)
        return ends[0]

    def lines(self) -> list[Line]:
        """Its entries in their order."""
        return _numbered(read_lines(self._path, timeout=self._timeout, waiting=self._waiting))

    def strays(self) -> list[str]:
        """Return what is among its entries and cannot be one: in a file, nothing."""
        return []

    def _end(self, lines: WholeLines) -> End:
        end = end_of(read_all(_numbered(lines.last(2))))
        return end_of(read_all(_numbered(lines.all()))) if end.damaged else end

    def _waiting(self) -> None:
        if not self._told:
            self._told = True
            self._say(f"waiting for another process to write {self._path}")


def _numbered(lines: Sequence[str]) -> list[Line]:
    return [Line(f"line {number}", text) for number, text in enumerate(lines, 1)]
