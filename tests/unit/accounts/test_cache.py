"""The credential cache: what it stores and what is removed from it."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.stacks import a_venue
from venue_access.accounts.cache import RESPONSES_LOCK, CredentialCache, Session, response_text
from venue_access.accounts.credentials import cached_response
from venue_access.accounts.profiles import Account
from venue_access.aws.client import Credentials
from venue_access.files import locked
from venue_access.sensitive import Secret

NOW = datetime(2026, 11, 20, 20, tzinfo=timezone.utc)
KEYS = Credentials("AKIAEXAMPLE0000", Secret("secret"))
SESSION = Session(Credentials("ASIAEXAMPLE", Secret("secret"), Secret("token")), NOW + timedelta(hours=1))
VENUE = a_venue()
ALICE, ALICE_B = "alice-20261120T195000Z-3f9c21ab", "alice-b-20261120T195000Z-3f9c21ab"


def account(name: str) -> Account:
    return Account(name, "folder", lambda: KEYS)


def arn(session: str, *, role: str = VENUE.role_name, account_id: str = VENUE.account_id) -> dict[str, str]:
    return {"arn": f"arn:aws:sts::{account_id}:assumed-role/{role}/{session}"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A cache with an MFA session and responses for sessions of the venue, of other roles and of an account."""
    folder = tmp_path / "venue-access"
    CredentialCache(folder).store(account("work"), KEYS, SESSION)
    origins = {
        "alice": arn(ALICE),
        "alice-b": arn(ALICE_B),
        "role": arn(ALICE, role="other-role"),
        "nested": arn(ALICE, role=f"x/{VENUE.role_name}"),
        "account": arn(ALICE, account_id="999988887777"),
        "work": {"account": "work"},
    }
    for name, origin in origins.items():
        file = folder / f"process-{name}.json"
        file.touch(mode=0o600)
        file.write_text(response_text(SESSION, origin))
    return folder


def left(folder: Path) -> set[str]:
    return {file.stem.removeprefix("process-") for file in folder.glob("process-*.json")}


EVERY = {"alice", "alice-b", "role", "nested", "account", "work"}


@pytest.mark.parametrize(
    ("session", "user", "removed"),
    [
        (ALICE, None, {"alice"}),
        (ALICE[:-1], None, set()),
        (None, "alice", {"alice"}),
        (None, "alice-b", {"alice-b"}),
        (None, "bob", set()),
        (None, None, {"alice", "alice-b"}),
    ],
)
def test_only_revoked_tokens_are_removed(
    folder: Path, session: str | None, user: str | None, removed: set[str]
) -> None:
    assert CredentialCache(folder).remove_revoked(VENUE, session=session, user=user) == len(removed)
    assert left(folder) == EVERY - removed


@pytest.mark.parametrize("text", [b"", b"{}\n", b"{}\n[]\n", b"{}\n{\n", b"\xff\n\xff\n", b"{}\n" + b"[" * 60_000])
def test_response_of_unknown_origin_is_removed_too(folder: Path, text: bytes) -> None:
    (folder / "process-old.json").write_bytes(text)
    assert CredentialCache(folder).remove_revoked(VENUE, session=None, user="bob") == 1
    assert left(folder) == EVERY


def test_clear_leaves_no_credential(folder: Path) -> None:
    (folder / ".process-x.json.0123abcd").write_text(response_text(SESSION, {}))
    (folder / ".session-x.json.0123abcd").write_text(response_text(SESSION, {}))
    assert CredentialCache(folder).clear() == "removed 1 session, 6 tokens of venue-access-credentials"
    assert [file.name for file in folder.iterdir()] == [RESPONSES_LOCK]


def test_clear_account_leaves_others(folder: Path) -> None:
    cache = CredentialCache(folder)
    removed = cache.clear_account(account("personal"), KEYS)  # the same keys under another name
    assert removed == "removed 1 session"
    assert cache.clear_account(account("work"), KEYS) == "removed 0 sessions, 1 token of venue-access-credentials"
    assert left(folder) == EVERY - {"work"}


def test_empty_cache_is_not_an_error(tmp_path: Path) -> None:
    assert CredentialCache(tmp_path / "none").clear() == "removed 0 sessions"


def test_clear_waits_for_token_that_is_being_issued(folder: Path) -> None:
    late = folder / "process-late.json"
    with locked(folder / RESPONSES_LOCK, timeout=0):
        removing = threading.Thread(target=CredentialCache(folder).clear)
        removing.start()
        late.write_text(response_text(SESSION, arn(ALICE)))
    removing.join()
    assert not late.exists()


def test_origin_is_not_part_of_the_response(folder: Path) -> None:
    response = cached_response(str(folder / "process-alice.json"), NOW.timestamp())
    assert response is not None
    assert response.count("\n") == 1
    assert "arn" not in response
