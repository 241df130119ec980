"""The credential cache: MFA sessions and responses of ``venue-access-credentials``, each in a file with mode 0600.

The first line of a file is what a ``credential_process`` prints. A response of ``venue-access-credentials`` has a
second line, its origin as JSON: the ``account`` that it belongs to, or the ``arn`` of the role session, or both.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from glob import escape
from pathlib import Path
from typing import Any

from venue_access.accounts.profiles import Account
from venue_access.aws.client import Credentials
from venue_access.errors import UsageError
from venue_access.files import check_private, locked, private_directory, read_regular, read_small, write_private
from venue_access.inventory.model import Venue
from venue_access.policies.revocation import user_pattern
from venue_access.sensitive import Secret
from venue_access.times import iso, parse_iso

RESPONSES_LOCK = "process.lock"
_LOCK_TIMEOUT = 30.0  # seconds
MARGIN = timedelta(minutes=5)
"""A session that expires sooner is not used: it would expire while a command runs."""


@dataclass(frozen=True)
class Session:
    """Short-term credentials of an account."""

    credentials: Credentials
    expiration: datetime
    """UTC."""


def cache_folder(environ: Mapping[str, str], home: Path) -> Path:
    """Return the folder of the cache (XDG Base Directory Specification)."""
    return Path(environ.get("XDG_CACHE_HOME") or home / ".cache") / "venue-access"


class CredentialCache:
    """The cached credentials in a folder; several processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> CredentialCache:
        """Return the user's cache."""
        return cls(cache_folder(environ, Path(environ.get("HOME") or Path.home())))

    def _path(self, account: Account, credentials: Credentials) -> Path:
        """Return the file of an account's session, by account, user and long-term access key."""
        parts = [account.partition, account.account_id, account.user, credentials.access_key_id]
        return self._folder / f"session-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]}.json"

    def find(self, account: Account, credentials: Credentials, now: datetime) -> tuple[Session | None, str]:
        """Return the session that was begun with these long-term credentials, and what 42Lines' tools print about it.

        :raises UsageError: others can read it.
        """
        path = self._path(account, credentials)
        if not path.exists():
            return None, f"Cache not present for account {account.name}"
        check_private(path)
        session = _parse(read_small(path, what="session", hint="remove it with: invoke account.unset --cache"))
        if session is None or session.expiration - now < MARGIN:
            return None, f"Cache invalid or not present for account {account.name}"
        return session, f"Cache is valid for account {account.name}"

    def store(self, account: Account, credentials: Credentials, session: Session) -> None:
        """Store a session; it replaces an earlier one."""
        private_directory(self._folder)
        write_private(self._path(account, credentials), _process_json(session))

    def clear(self) -> str:
        """Remove every cached credential, and return a message of how many.

        :raises UsageError: a file cannot be removed, or another process holds the cache's lock for too long.
        """
        removed = _message(_remove(self._folder.glob("session-*.json")), self._remove_responses(None))
        for name in ("session", "process"):  # files that a killed process did not finish writing
            _remove(self._folder.glob(f".{name}-*.json.*"))
        return removed

    def clear_account(self, account: Account, credentials: Credentials) -> str:
        """Remove the cached credentials of one account, and return a message of how many.

        :raises UsageError: as ``clear``.
        """
        sessions = _remove([self._path(account, credentials)])
        return _message(sessions, self._remove_responses(lambda origin: origin.get("account") == account.name))

    def remove_revoked(self, venue: Venue, *, session: str | None, user: str | None) -> int:
        """Remove the revoked tokens of a venue, and return how many.

        :param session: the revoked role session name; if this and ``user`` are None, all of the venue were revoked.
        :raises UsageError: as ``clear``.
        """
        name = escape(session) if session is not None else "*" if user is None else user_pattern(user)
        pattern = f"arn:{venue.partition}:sts::{venue.account_id}:assumed-role/{venue.role_name}/{name}"
        return self._remove_responses(lambda origin: fnmatchcase(str(origin.get("arn", "")), pattern))

    def _remove_responses(self, is_meant: Callable[[dict[str, Any]], bool] | None) -> int:
        """Remove the responses of ``venue-access-credentials`` with such an origin, or all; return how many.

        A response without an origin (damaged, or of an earlier version) is removed as well: the next call replaces it.
        """
        if not self._folder.is_dir():
            return 0
        with locked(self._folder / RESPONSES_LOCK, timeout=_LOCK_TIMEOUT):  # waits for a token that is being issued
            paths = list(self._folder.glob("process-*.json"))
            if is_meant is not None:
                paths = [path for path in paths if not (origin := _origin(path)) or is_meant(origin)]
            return _remove(paths)


def response_text(session: Session, origin: Mapping[str, str]) -> str:
    """Return a response of ``venue-access-credentials`` as the cache stores it: the origin is on the second line."""
    return f"{_process_json(session)}{json.dumps(origin)}\n"


def _process_json(session: Session) -> str:
    """Return a session as a ``credential_process`` prints it (AWS SDKs and Tools Reference Guide)."""
    token = session.credentials.session_token
    document = {
        "Version": 1,
        "AccessKeyId": session.credentials.access_key_id,
        "SecretAccessKey": session.credentials.secret_access_key.reveal(),
        "SessionToken": token.reveal() if token is not None else "",
        "Expiration": iso(session.expiration),
    }
    return json.dumps(document) + "\n"


def _parse(content: bytes) -> Session | None:
    """Return a stored session, or None if it is malformed."""
    try:
        document = json.loads(content)
        secrets = (Secret(document["SecretAccessKey"]), Secret(document["SessionToken"]))
        return Session(Credentials(document["AccessKeyId"], *secrets), parse_iso(document["Expiration"]))
    except (ValueError, KeyError, TypeError):
        return None


def _origin(path: Path) -> dict[str, Any]:
    """Return the origin of a response; it is empty if there is none."""
    try:
        _, origin = read_regular(path, most=65_536).splitlines()
        document = json.loads(origin)
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _message(sessions: int, responses: int) -> str:
    removed = f"removed {sessions} session{'' if sessions == 1 else 's'}"
    if not responses:
        return removed
    return f"{removed}, {responses} token{'' if responses == 1 else 's'} of venue-access-credentials"


def _remove(paths: Iterable[Path]) -> int:
    count = 0
    for path in paths:
        try:
            path.unlink()
            count += 1
        except FileNotFoundError:
            pass
        except OSError as error:
            raise UsageError(f"cannot remove {path}: {(error.strerror or str(error)).lower()}") from error
    return count
