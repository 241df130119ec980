"""The ledger: a line for every token that was issued, and never a secret in it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime

from venue_access.config import Settings
from venue_access.files import append_private, check_appendable


@dataclass(frozen=True)
class Receipt:
    """What is kept of an issued token."""

    issued: datetime
    venue: str
    role_arn: str
    recipient: str
    role_session_name: str
    access_key_id: str
    expires: datetime
    reason: str | None
    narrowing: str | None = None
    """What the token was narrowed to, in a few words."""


class Ledger:
    """The file ``ledger.jsonl`` of the work directory, to which lines are only added.

    :raises RequestError: it cannot be written: known before a token is issued that could not be entered.
    """

    def __init__(self, settings: Settings) -> None:
        self._path = settings.folder() / "ledger.jsonl"
        check_appendable(self._path)

    def record(self, receipt: Receipt) -> None:
        """Add a receipt, flushed to the disk.

        :raises RequestError: it cannot be written; the ledger is as it was, and the token is not to be handed over.
        """
        line = {
            key: f"{value:%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else value
            for key, value in asdict(receipt).items()
        }
        append_private(self._path, json.dumps(line))
