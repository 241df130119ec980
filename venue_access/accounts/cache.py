"""The credential cache: MFA sessions and the answers of ``venue-access-credentials``, a 0600 file each.

The first line of a file is what a ``credential_process`` prints. An answer of ``venue-access-credentials`` has a second
line, its origin as JSON: the ``account`` that it belongs to, or the ``arn`` of the role session, or both.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from venue_access.accounts.account import Account
from venue_access.aws.client import Credentials
from venue_access.errors import UsageError
from venue_access.files import check_private, locked, private_directory, read_regular, read_small, write_private
from venue_access.sensitive import Secret
from venue_access.times import iso, parse_iso

ANSWERS_LOCK = "process.lock"
_LOCK_TIMEOUT = 30.0  # seconds
MARGIN = timedelta(minutes=5)
"""A session with less left than this is as good as ended: it would end in the middle of something."""


@dataclass(frozen=True)
class Session:
    """Short-term keys of an account of the operator's."""

    keys: Credentials
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

    def path(self, account: Account, keys: Credentials) -> Path:
        """Where the session of an account is: told apart by the account, the user and the long-term key."""
        parts = [account.partition, account.account_id, account.user, keys.access_key_id]
        return self._folder / f"session-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]}.json"

    def find(self, account: Account, keys: Credentials, now: datetime) -> Found:
        """What there is for these long-term keys.

        :raises UsageError: others can read it.
        """
        path = self.path(account, keys)
        if not path.exists():
            return Found()
        check_private(path)
        session = _session(read_small(path, what="session", hint="remove it with: invoke account.unset --cache"))
        if session is None or session.expiration - now < MARGIN:
            return Found(ended=True)
        return Found(session)

    def keep(self, account: Account, keys: Credentials, session: Session) -> None:
        """Keep a session, in place of an earlier one."""
        private_directory(self._folder)
        write_private(self.path(account, keys), process_json(session))

    def forget(self, account: Account | None = None, keys: Credentials | None = None) -> Forgotten:
        """Remove the cached credentials of one account, or everything in the cache.

        :raises UsageError: a file cannot be removed.
        """
        if account is not None and keys is not None:
            own = account.name
            sessions = _remove([self.path(account, keys)])
            return Forgotten(sessions, self.remove_answers(lambda origin: origin.get("account") == own))
        sessions = _remove(self._folder.glob("session-*.json"))
        answers = self.remove_answers(lambda origin: True)
        for name in ("session", "process"):  # what a killed process did not finish writing
            _remove(self._folder.glob(f".{name}-*.json.*"))
        return Forgotten(sessions, answers)

    def remove_answers(self, matches: Callable[[Mapping[str, str]], bool]) -> int:
        """Remove the answers of ``venue-access-credentials`` whose origin matches, and return how many.

        An answer without an origin (a damaged one, or one of an earlier version) is removed as well: the next call gets
        a new one.

        :raises UsageError: a file cannot be removed, or another process holds the cache's lock for too long.
        """
        if not self._folder.is_dir():
            return 0
        with locked(self._folder / ANSWERS_LOCK, timeout=_LOCK_TIMEOUT):  # one that is being issued is written first
            return _remove(
                path for path in self._folder.glob("process-*.json") if not (origin := _origin(path)) or matches(origin)
            )


@dataclass(frozen=True)
class Forgotten:
    """How many cached credentials were removed."""

    sessions: int
    """With MFA."""
    answers: int
    """Of ``venue-access-credentials``."""

    def __str__(self) -> str:
        def counted(count: int, what: str) -> str:
            return f"{count} {what}{'' if count == 1 else 's'}"

        answers = f", {counted(self.answers, 'token')} of venue-access-credentials" if self.answers else ""
        return f"forgot {counted(self.sessions, 'session')}{answers}"


def answer_text(session: Session, origin: Mapping[str, str]) -> str:
    """Return an answer of ``venue-access-credentials`` as the cache holds it, with its origin on the second line."""
    return f"{process_json(session)}{json.dumps(origin)}\n"


def _origin(path: Path) -> dict[str, str]:
    """Return the origin of an answer, empty where it has none."""
    try:
        _, origin = read_regular(path, most=65_536).splitlines()
        document = json.loads(origin)
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _remove(paths: Iterable[Path]) -> int:
    count = 0
    for path in paths:
        try:
            path.unlink()
            count += 1
        except FileNotFoundError:
            pass
        except OSError as error:
            raise UsageError(f"{path} cannot be removed: {(error.strerror or str(error)).lower()}") from error
    return count


def process_json(session: Session) -> str:
    """A session as a ``credential_process`` prints it (AWS SDKs and Tools Reference Guide)."""
    token = session.keys.session_token
    document = {
        "Version": 1,
        "AccessKeyId": session.keys.access_key_id,
        "SecretAccessKey": session.keys.secret_access_key.reveal(),
        "SessionToken": token.reveal() if token is not None else "",
        "Expiration": iso(session.expiration),
    }
    return json.dumps(document) + "\n"


def _session(content: bytes) -> Session | None:
    """What was kept; None for anything else, which is as good as ended."""
    try:
        document = json.loads(content)
        ends = parse_iso(document["Expiration"])
        secrets = (Secret(document["SecretAccessKey"]), Secret(document["SessionToken"]))
        return Session(Credentials(document["AccessKeyId"], *secrets), ends)
    except (ValueError, KeyError, TypeError):
        return None
