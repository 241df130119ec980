"""Sessions that were begun with MFA, kept until they end: a file each, readable by its owner alone.

A file holds what a ``credential_process`` prints, so that it can be handed out as it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from venue_access.aws import Keys
from venue_access.errors import RequestError
from venue_access.files import check_private, private_directory, read_small, write_private
from venue_access.masked import Secret
from venue_access.own_keys.account import Account

MARGIN = timedelta(minutes=5)
"""A session with less left than this is as good as ended: it would end in the middle of something."""


@dataclass(frozen=True)
class Session:
    """Short-term keys of an account of the operator's."""

    keys: Keys
    expiration: datetime
    """UTC."""


@dataclass(frozen=True)
class Found:
    """What the cache has for an account: a session, one that has ended, or nothing."""

    session: Session | None = None
    ended: bool = False

    def sentence(self, account: Account) -> str:
        """What is told of it, in the words of 42Lines' tools."""
        if self.session is not None:
            return f"Cache is valid for account {account.name}"
        return f"Cache {'invalid or ' if self.ended else ''}not present for account {account.name}"


def cache_folder(environ: Mapping[str, str], home: Path) -> Path:
    """Where sessions are kept (XDG Base Directory Specification)."""
    return Path(environ.get("XDG_CACHE_HOME") or home / ".cache") / "venue-access"


class SessionCache:
    """The sessions in a folder; two processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, account: Account, keys: Keys) -> Path:
        """Where the session of an account is: told apart by the account, the user and the long-term key."""
        parts = [account.partition, account.account_id, account.user, keys.access_key_id]
        return self._folder / f"session-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]}.json"

    def find(self, account: Account, keys: Keys, now: datetime) -> Found:
        """What there is for these long-term keys.

        :raises RequestError: others can read it.
        """
        path = self.path(account, keys)
        if not path.exists():
            return Found()
        check_private(path)
        session = _session(read_small(path, what="session", hint="remove it with: invoke account.clear --cache"))
        if session is None or session.expiration - now < MARGIN:
            return Found(ended=True)
        return Found(session)

    def keep(self, account: Account, keys: Keys, session: Session) -> None:
        """Keep a session, in place of an earlier one."""
        private_directory(self._folder)
        write_private(self.path(account, keys), process_json(session))

    def forget(self, account: Account | None = None, keys: Keys | None = None) -> int:
        """Remove the session of an account, or all; how many there were."""
        if account is not None and keys is not None:
            paths = [self.path(account, keys)]
        else:
            paths = list(self._folder.glob("session-*.json"))
        count = 0
        for path in paths:
            try:
                path.unlink()
                count += 1
            except FileNotFoundError:
                pass
            except OSError as error:
                raise RequestError(f"{path} cannot be removed: {(error.strerror or str(error)).lower()}") from error
        return count


def process_json(session: Session) -> str:
    """A session as a ``credential_process`` prints it (AWS SDKs and Tools Reference Guide)."""
    token = session.keys.session_token
    document = {
        "Version": 1,
        "AccessKeyId": session.keys.access_key_id,
        "SecretAccessKey": session.keys.secret_access_key.reveal(),
        "SessionToken": token.reveal() if token is not None else "",
        "Expiration": f"{session.expiration:%Y-%m-%dT%H:%M:%SZ}",
    }
    return json.dumps(document) + "\n"


def _session(content: bytes) -> Session | None:
    """What was kept; None for anything else, which is as good as ended."""
    try:
        document = json.loads(content)
        ends = datetime.strptime(document["Expiration"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
        secrets = (Secret(document["SecretAccessKey"]), Secret(document["SessionToken"]))
        return Session(Keys(document["AccessKeyId"], *secrets), ends)
    except (ValueError, KeyError, TypeError):
        return None
