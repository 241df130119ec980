"""The ledger of this machine: a file of lines to which lines are only added."""

from __future__ import annotations

from pathlib import Path

from venue_access.config import Settings
from venue_access.errors import RequestError
from venue_access.ledger.chain import Line, head_of, link
from venue_access.ledger.record import Record
from venue_access.lines import append_private, last_line, read_lines


class LocalLedger:
    """The file ``ledger.jsonl`` of the work directory."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._path = settings.work_directory / "ledger.jsonl"

    @property
    def name(self) -> str:
        return str(self._path)

    def last(self) -> Line | None:
        """Its last entry, having seen that another can be added.

        :raises RequestError: none can.
        """
        self._settings.folder()
        text = last_line(self._path)
        self._after(text)
        return None if text is None else Line("its last line", text)

    def newest(self) -> Line | None:
        """Its last entry."""
        lines = self.lines()
        return lines[-1] if lines else None

    def append(self, record: Record) -> None:
        """Add a record; on the disk when this returns.

        :raises RequestError: it cannot be written; the ledger is as it was.
        """
        self._settings.folder()
        append_private(self._path, lambda text: self._after(text, record))

    def lines(self) -> list[Line]:
        """Its entries in their order."""
        return [Line(f"line {number}", text) for number, text in enumerate(read_lines(self._path), 1)]

    def _after(self, text: str | None, record: Record | None = None) -> str:
        try:
            head = head_of(text)
        except ValueError as error:
            raise _unsound(self._path, error) from error
        return "" if record is None else link(record, head)[0]


def _unsound(path: Path, error: ValueError) -> RequestError:
    return RequestError(
        f"cannot add to {path}: {error}",
        hint="see what invoke ledger.verify finds; to begin a new ledger, move the file to where it is kept",
    )
