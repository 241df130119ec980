"""The ledger: a line for every token that was issued, and never a secret in it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime

from venue_access.config import Settings
from venue_access.files import append_private


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


def record(settings: Settings, receipt: Receipt) -> None:
    """Append a receipt, flushed to the disk.

    :raises RequestError: it cannot be written.
    """
    line = {
        key: f"{value:%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else value
        for key, value in asdict(receipt).items()
    }
    append_private(settings.folder() / "ledger.jsonl", json.dumps(line))
